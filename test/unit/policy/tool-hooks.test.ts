import { describe, expect, it } from "vitest";
import { hookMatcher } from "../../../src/engine/policy/hook-pattern.ts";
import { type HookedCall, postToolHooks, preToolHooks, type ToolHook } from "../../../src/engine/policy/tool-hooks.ts";
import type { Json } from "../../../src/lib/json.ts";
import { decodeToolHooks } from "../../../src/schema/tool-hook.ts";
import { errorOf, valueOf } from "../graph/fixture.ts";

const functions = {
  refuse: () => ({ deny: "no" }),
  refuseOddly: () => ({ deny: true }),
  pass: () => null,
  passDict: () => ({ deny: false }),
  force: ({ tool }: { readonly [key: string]: Json }) => ({
    args: { ...(tool as { args: { [key: string]: Json } }).args, forced: true },
  }),
  wrong: () => 5,
  text: () => "short",
  result: () => ({ result: { a: 1 } }),
  list: () => [],
  half: () => 1.5,
  yes: () => true,
};

const call = (hooks: readonly ToolHook[], tool = "exec", args: Json = {}): HookedCall => ({
  hooks,
  functions,
  tool,
  args,
});

describe("patterns of hooks", () => {
  const payload = { event: "PreToolUse", tool: { name: "exec_at", args: { force: true, n: 5, list: [], dict: {} } } };
  it.each([
    ["", true],
    ["*", true],
    ["exec*", true],
    ["exec", false],
    ["tool.name == exec_at", true],
    ["tool.name == 'exec_at'", true],
    ["tool.name != exec_at", false],
    ["tool.args.n == 5", true],
    ["tool.args.none == nil", true],
    ["tool.args.none != x", true],
    ["tool.name =~ ^exec", true],
    ["tool.name =~ ^at", false],
    ["tool.args.none =~ .*", false],
    ["tool.args.force", true],
    ["tool.args.none", false],
    ["tool.args.list", false],
    ["tool.args.dict", false],
    ["tool.args", true],
  ])("[W-17.1] %j", (pattern, expected) => {
    expect(valueOf(hookMatcher(pattern))(payload)).toBe(expected);
  });

  it("[W-17.1] a tool's name with dots is a name as well, and a regular expression has to be one", () => {
    expect(valueOf(hookMatcher("mcp.read"))({ tool: { name: "mcp.read" } })).toBe(true);
    expect(valueOf(hookMatcher("x*"))({})).toBe(false);
    expect(errorOf(hookMatcher("tool.name =~ ("))).toBe("hook pattern has an invalid regular expression: (");
    expect(errorOf(preToolHooks(call([{ pattern: "a =~ (" }])))).toContain("invalid regular expression");
    expect(errorOf(postToolHooks(call([{ pattern: "a =~ (" }]), ""))).toContain("invalid regular expression");
  });
});

describe("hooks before a call", () => {
  it("[W-17.1] the first refusal wins", () => {
    const hooks = [
      { pattern: "other", deny: "0" },
      { pattern: "*", deny: "1" },
      { pattern: "*", deny: "2" },
    ];
    expect(valueOf(preToolHooks(call(hooks)))).toEqual({ decision: "deny", args: {}, reason: "1" });
    const named = [{ pattern: "*", pre: "refuse" }];
    expect(valueOf(preToolHooks(call(named)))).toMatchObject({ decision: "deny", reason: "no" });
    expect(valueOf(preToolHooks(call([{ pattern: "*", pre: "refuseOddly" }])))).toMatchObject({ reason: "true" });
  });

  it("[W-17.1] later hooks see modified arguments", () => {
    const hooks: readonly ToolHook[] = [
      { pattern: "*", pre: { action: "modify", args: { a: 1 } } },
      { pattern: "*", pre: "force" },
      { pattern: "tool.args.forced", pre: { action: "deny", reason: "forced" } },
    ];
    expect(valueOf(preToolHooks(call(hooks.slice(0, 2))))).toEqual({
      decision: "modify",
      args: { a: 1, forced: true },
    });
    expect(valueOf(preToolHooks(call(hooks)))).toMatchObject({ decision: "deny", reason: "forced" });
  });

  it("[W-17.1] a hook that says nothing lets the call pass", () => {
    const hooks: readonly ToolHook[] = [
      { pattern: "*" },
      { pattern: "*", pre: "pass" },
      { pattern: "*", pre: "passDict" },
      { pattern: "*", pre: { action: "allow" } },
    ];
    expect(valueOf(preToolHooks(call(hooks)))).toEqual({ decision: "allow", args: {} });
  });

  it.each([
    ["wrong", "int"],
    ["half", "float"],
    ["text", "string"],
    ["list", "list"],
    ["yes", "bool"],
  ])("[W-17.1] what %s returns is an error of type %s", (pre, type) => {
    expect(errorOf(preToolHooks(call([{ pattern: "*", pre }])))).toBe(
      `PreToolUse hook must return nil or {deny, args}, got ${type}`,
    );
  });

  it("[W-17.1] a function that is not registered is an error, for it would guard nothing", () => {
    expect(errorOf(preToolHooks(call([{ pattern: "*", pre: "none" }])))).toBe("tool hook 'none' is not registered");
    expect(errorOf(postToolHooks(call([{ pattern: "*", post: "none" }]), ""))).toBe(
      "tool hook 'none' is not registered",
    );
    expect(errorOf(preToolHooks({ hooks: [{ pattern: "*", pre: "refuse" }], tool: "t", args: {} }))).toContain(
      "not registered",
    );
  });
});

const after = (hooks: readonly ToolHook[], result: Json) => postToolHooks(call(hooks), result);

describe("hooks after a call", () => {
  it("[W-17.1] rewrite the result, each after the other", () => {
    const redact: ToolHook = { pattern: "*", post: { when_contains: "SECRET", replace_with: "[REDACTED]" } };
    expect(valueOf(after([redact], "a SECRET"))).toBe("[REDACTED]");
    expect(valueOf(after([redact], { key: "SECRET" }))).toBe("[REDACTED]");
    expect(valueOf(after([redact], "clean"))).toBe("clean");
    expect(valueOf(after([{ pattern: "other", post: "text" }], "clean"))).toBe("clean");
    expect(valueOf(after([redact, { pattern: "*", post: "text" }], "a SECRET"))).toBe("short");
    expect(valueOf(after([{ pattern: "*", post: "result" }], "x"))).toEqual({ a: 1 });
    expect(valueOf(after([{ pattern: "*", post: "pass" }], "x"))).toBe("x");
    expect(valueOf(after([{ pattern: "*", post: "refuse" }], "x"))).toBe("x");
    expect(errorOf(after([{ pattern: "*", post: "wrong" }], "x"))).toBe(
      "PostToolUse hook must return nil, string, or {result}, got int",
    );
  });

  it("[W-17.1] max_output snips long results, also those that are no text", () => {
    const hooks = [{ pattern: "*", max_output: 300 }];
    expect(valueOf(after(hooks, "x".repeat(300)))).toHaveLength(300);
    expect(valueOf(after(hooks, "x".repeat(3000)))).toContain("characters snipped");
    expect(valueOf(after(hooks, { text: "x".repeat(3000) }))).toContain("characters snipped");
    expect(valueOf(after(hooks, { a: 1 }))).toEqual({ a: 1 });
  });
});

describe("documents of hooks", () => {
  it("[W-17.1] are decoded with the path of what is wrong", () => {
    expect(valueOf(decodeToolHooks([{ deny: "no" }, { pattern: "a", post: "name" }]))).toEqual([
      { pattern: "*", deny: "no" },
      { pattern: "a", post: "name" },
    ]);
    expect(errorOf(decodeToolHooks([{ pre: { action: "explode" } }])).issues[0]?.path).toBe("[0].pre");
  });
});
