import { describe, expect, it } from "vitest";
import { promptReferences } from "../../../src/engine/graph/prompt-references.ts";
import { toolSurfaceDiagnostics } from "../../../src/engine/graph/tool-surface.ts";
import { listedTools } from "../../../src/engine/policy/tools.ts";
import type { Json } from "../../../src/lib/json.ts";
import { approvalOf, policyOf } from "./fixture.ts";

interface Given {
  readonly tools?: Json;
  readonly policy?: unknown;
  readonly approval?: unknown;
  readonly prompts?: readonly string[];
  readonly requireExecutor?: boolean;
}

const diagnose = ({ tools = [], policy = {}, approval = {}, prompts = [], ...rest }: Given) =>
  toolSurfaceDiagnostics({
    tools: listedTools(tools),
    policy: policyOf(policy),
    approval: approvalOf(approval),
    prompts,
    ...rest,
  }).map(({ code, severity, message }) => `${severity} ${code.replace("TOOL_SURFACE_", "")}: ${message}`);

/** A tool that no diagnostic objects to. */
const sound = (name: string, policy: Json = {}, fields: Readonly<Record<string, Json>> = {}) => ({
  name,
  parameters: { properties: { path: {} } },
  policy: { kind: "read", side_effect_level: "read_only", ...(policy as object) },
  ...fields,
});

describe("tool declarations", () => {
  it("[W-3.1] a bare tool lacks a schema and annotations", () => {
    expect(diagnose({ tools: [{ name: "t" }, { name: "t", parameters: {} }] })).toEqual([
      "warning MISSING_SCHEMA: active tool 't' has no parameter schema",
      "warning MISSING_ANNOTATIONS: active tool 't' has no ToolAnnotations",
    ]);
  });

  it("[W-3.1] annotations without a level are worth a warning; the policy's annotations count", () => {
    const tools = [{ name: "t", input_schema: {} }];
    expect(diagnose({ tools, policy: { tool_annotations: { t: { kind: "read" } } } })).toEqual([
      "warning MISSING_SIDE_EFFECT_LEVEL: active tool 't' has no side-effect level",
    ]);
    expect(diagnose({ tools, policy: { tool_annotations: { t: { side_effect_level: "read_only" } } } })).toEqual([]);
  });

  it("[W-3.1] executors are asked for only where tools must bring their own", () => {
    expect(diagnose({ tools: [sound("t")] })).toEqual([]);
    expect(diagnose({ tools: [sound("t")], requireExecutor: true })).toEqual([
      "warning MISSING_EXECUTOR: active tool 't' has no declared executor",
    ]);
    expect(diagnose({ tools: [sound("t", {}, { executor: "host" })], requireExecutor: true })).toEqual([]);
  });

  it("[W-3.1] tools outside the policy are not inspected; patterns count", () => {
    expect(diagnose({ tools: [{ name: "t" }], policy: { tools: ["x*"] } })).toEqual([]);
    expect(diagnose({ tools: [{ name: "t" }], policy: { denied_all: ["tools"] } })).toEqual([]);
    expect(diagnose({ tools: [{ name: "xt" }], policy: { tools: ["x*"] } })).toHaveLength(2);
  });
});

describe("result readers", () => {
  const run = (policy: Readonly<Record<string, Json>> = {}) =>
    sound("run", { kind: "execute", side_effect_level: "process_exec", emits_artifacts: true, ...policy });
  const error =
    "error MISSING_RESULT_READER: execute tool 'run' can emit output artifacts but has no active result reader";

  it("[W-3.1] an execute tool that emits artifacts needs something to read them", () => {
    expect(diagnose({ tools: [run()] })).toEqual([error]);
    expect(diagnose({ tools: [run({ inline_result: true })] })).toEqual([]);
    expect(diagnose({ tools: [run({ emits_artifacts: false })] })).toEqual([]);
    expect(diagnose({ tools: [run({ kind: "edit" })] })).toEqual([]);
  });

  it.each([
    [sound("show", { kind: "edit" }), ["show"]],
    [sound("read_command_output", { kind: "other" }), []],
    [sound("view"), []],
    [sound("grep", { kind: "search" }), []],
  ])("[W-3.1] reader %#", (reader, result_readers) => {
    expect(diagnose({ tools: [run({ result_readers }), reader] })).toEqual([]);
  });

  it("[W-3.1] a declared reader that is not active is worth a warning", () => {
    expect(diagnose({ tools: [run({ readable_result_routes: ["gone"] })] })).toEqual([
      error,
      "warning UNKNOWN_RESULT_READER: tool 'run' declares result reader 'gone' that is not active",
    ]);
  });
});

describe("rules about tools", () => {
  it("[W-3.1] constraints must name active tools and known arguments", () => {
    const policy = {
      tool_arg_constraints: [
        { tool: "gone", arg_patterns: ["x"] },
        { tool: "gone*", arg_key: "k" },
        { tool: "edit", arg_key: "path" },
        { tool: "e*", arg_key: "size" },
        { tool: "edit", arg_key: "file" },
        { tool: "silent", arg_key: "anything" },
      ],
    };
    const edit = sound("edit", { arg_schema: { path_params: ["p"], arg_aliases: { file: "path" }, required: ["q"] } });
    const silent = { name: "silent", schema: {} };
    expect(diagnose({ tools: [edit, silent], policy })).toEqual([
      "warning MISSING_ANNOTATIONS: active tool 'silent' has no ToolAnnotations",
      "warning UNKNOWN_ARG_CONSTRAINT_TOOL: ToolArgConstraint references tool 'gone' which is not active",
      "warning UNKNOWN_ARG_CONSTRAINT_KEY: ToolArgConstraint for 'edit' targets unknown argument 'size'",
    ]);
  });

  it("[W-3.1] approval patterns without a star must match an active tool", () => {
    const approval = {
      auto_approve: ["t", "a"],
      auto_deny: ["b", "b*"],
      require_approval: ["c"],
      write_path_allowlist: ["d"],
    };
    expect(diagnose({ tools: [sound("t")], approval })).toEqual([
      "warning APPROVAL_PATTERN_NO_MATCH: approval_policy.auto_approve pattern 'a' matches no active tool",
      "warning APPROVAL_PATTERN_NO_MATCH: approval_policy.auto_deny pattern 'b' matches no active tool",
      "warning APPROVAL_PATTERN_NO_MATCH: approval_policy.require_approval pattern 'c' matches no active tool",
    ]);
  });

  it("[W-3.1] a tool above the side-effect ceiling is an error", () => {
    const tools = [sound("low"), sound("high", { side_effect_level: "network" })];
    const policy = { side_effect_level: "read_only", tool_annotations: { low: {} } };
    expect(diagnose({ tools, policy })).toEqual([
      "error SIDE_EFFECT_CEILING_EXCEEDED: tool 'high' requires side-effect level 'network' but policy ceiling is 'read_only'",
    ]);
    const bare = diagnose({ tools: [{ name: "bare" }], policy });
    expect(bare.filter((line) => line.startsWith("error"))).toEqual([]);
  });
});

describe("prompts", () => {
  it("[W-3.1] unknown names count only when they look like tools", () => {
    expect(diagnose({ prompts: ["Call do_it(x), toolbox(), runner(), other() and <tool_call> lone_name"] })).toEqual(
      ["do_it", "toolbox", "runner", "lone_name"].map(
        (name) => `warning UNKNOWN_PROMPT_TOOL: prompt references tool '${name}' which is not active`,
      ),
    );
  });

  it("[W-3.1] a known tool outside the policy, or deferred without tool_search", () => {
    const tools = [sound("near"), sound("far"), sound("late", {}, { defer_loading: true })];
    expect(diagnose({ tools, policy: { tools: ["near", "late"] }, prompts: ["near() far() late()"] })).toEqual([
      "warning PROMPT_TOOL_NOT_IN_POLICY: prompt references tool 'far' outside the active policy",
      "warning DEFERRED_TOOL_PROMPT_REFERENCE: prompt references deferred tool 'late' but tool_search is not active",
    ]);
    expect(diagnose({ tools: [...tools, sound("tool_search")], prompts: ["late()"] })).toEqual([]);
  });

  it("[W-3.1] an alias next to its tool is worth a warning", () => {
    const tools = [sound("edit", { arg_aliases: { file: "path", gone: "x" } })];
    expect(diagnose({ tools, prompts: ["edit(file: 1)"] })).toEqual([
      "warning DEPRECATED_ARG_ALIAS: prompt mentions alias 'file' for tool 'edit'; use canonical argument 'path'",
    ]);
    expect(diagnose({ tools, prompts: ["the file"] })).toEqual([]);
  });

  it("[W-3.1] code blocks and marked lines are skipped", () => {
    const prompt = [
      "a_1()",
      "```ts",
      "b_1()",
      "```",
      "c_1() // tool-surface-ignore",
      "d_1() // harn-tool-surface: ignore-line",
      "harn-tool-surface: ignore-next-line",
      "e_1()",
      "f_1()",
      "harn-tool-surface: ignore-start",
      "g_1()",
      "harn-tool-surface: ignore-end",
      "h_1() harn-tool-surface: something else",
      "  ~~~",
      "i_1()",
    ].join("\n");
    expect(promptReferences([prompt]).calls).toEqual(["a_1", "f_1", "h_1"]);
  });

  it("[W-3.1] stopwords, numbers and names apart from their parenthesis are no calls", () => {
    expect(
      promptReferences(["if(x) JSON(y) 9lives(z) name (w)", "<tool_call>\n go <tool_call>{ no <tool_call>if"]),
    ).toEqual({
      calls: ["go"],
      words: new Set(["if", "x", "JSON", "y", "z", "name", "w", "go", "no"]),
    });
  });

  it("[W-3.1] a very long word is read in one pass", () => {
    expect(promptReferences(["a".repeat(1_000_000)]).calls).toEqual([]);
  });
});
