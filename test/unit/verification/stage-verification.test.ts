import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/lib/json.ts";
import type { Verification } from "../../../src/engine/verification/evidence.ts";
import { createRun, DONE, driveAll, runFixture, step, accepted } from "../../support/run-fixture.ts";

const graphWith = (verify: JsonObject, more: JsonObject = {}): JsonObject => ({
  _type: "workflow_graph",
  entry: "make",
  nodes: {
    make: { kind: "stage", mode: "function", function: "f" },
    check: { kind: "verify", verify, ...more },
    repair: { kind: "stage", mode: "llm" },
    aside: { kind: "stage", mode: "llm" },
  },
  edges: [
    { from: "make", to: "check" },
    { from: "make", to: "aside" },
    { from: "check", to: "repair", branch: "failed" },
    { from: "repair", to: "check" },
  ],
});

const completions = (shell: ReturnType<typeof runFixture>["shell"]) =>
  shell.entries().flatMap(({ events }) => events.filter((event) => event.type === "stage_completed"));

/** The verification of the first check after `make` answered with a text. */
const checked = (verify: JsonObject, result: JsonObject, assets?: Readonly<Record<string, string>>): Verification => {
  const { shell } = runFixture();
  accepted(
    shell,
    createRun(graphWith(verify), { ...(assets === undefined ? {} : { assets }), options: { max_steps: 2 } }),
  );
  driveAll(shell, () => result);
  const check = completions(shell).find((event) => event.node_id === "check");
  return check?.verification as unknown as Verification;
};

const made = (text: string, more: JsonObject = {}): JsonObject => ({ ...DONE, text, visible_text: text, ...more });

describe("the contract of a verify node without a command", () => {
  it.each<[string, JsonObject, JsonObject, boolean]>([
    ["an identifier stands as a whole", { identifiers: "rateLimit" }, made("call rateLimit(1)"), true],
    ["a longer identifier is another one", { identifiers: "rateLimit" }, made("call rateLimiter(1)"), false],
    ["a later place counts as well", { identifiers: "a" }, made("bad a"), true],
    ["a text is taken as it is", { required_text: "x  y" }, made("1 x  y 2"), true],
    ["a text that is not there", { required_text: "x y" }, made("x  y"), false],
    ["a path in the text", { paths: "src/a.ts" }, made("wrote src/a.ts"), true],
    ["a path among the changed ones", { paths: "src/a.ts" }, made("-", { changed_paths: ["src/a.ts"] }), true],
    ["a path nobody names", { paths: "src/a.ts" }, made("-", { paths: [5, "src/b.ts"] }), false],
    ["visible text", { checks: [{ kind: "visible_text_contains", value: "yes" }] }, made("oh yes"), true],
    ["combined output", { contract: { expect_text: "yes" } }, made("oh no"), false],
    ["a status of nothing", { contract: { expect_status: 0 } }, made("x"), false],
    [
      "a json path",
      { checks: [{ kind: "json_path_equals", value: "a.b = 1" }] },
      made("-", { data: { a: { b: 1 } } }),
      true,
    ],
    ["a json path of a text", { checks: [{ kind: "json_path_equals", value: "a=ok" }] }, made('{"a":"ok"}'), true],
    [
      "a json path elsewhere",
      { checks: [{ kind: "json_path_equals", value: "a=2" }] },
      made("-", { data: { a: 1 } }),
      false,
    ],
    ["a json path without a value", { checks: [{ kind: "json_path_equals", value: "a" }] }, made("-"), false],
  ])("[W-7.2] %s", (_name, verify, result, isOk) => {
    const verification = checked(verify, result);
    expect(verification.checks).toHaveLength(1);
    expect(verification.ok).toBe(isOk);
    expect(verification.findings === undefined).toBe(isOk);
  });

  it("[W-7.2] a kind nobody knows is told and not checked, and enforce: false checks nothing", () => {
    expect(checked({ checks: [{ kind: "taste", value: "good" }] }, made("x"))).toEqual({ kind: "none", ok: true });
    expect(checked({ required_text: "y", enforce: false }, made("x"))).toEqual({ kind: "none", ok: true });
  });

  it("[W-7.1] what the verify settings check is not checked twice", () => {
    expect(checked({ assert_text: "y", required_text: "x" }, made("x"))).toMatchObject({
      ok: false,
      checks: [
        { kind: "assert_text", ok: false, actual: null },
        { kind: "text", ok: true },
      ],
      findings: ["assert_text: expected y, got nothing"],
    });
  });

  it("[W-7.2] the contract may come from an asset", () => {
    const assets = { "c.json": JSON.stringify({ required_text: ["needle"] }) };
    expect(checked({ contract_path: "c.json" }, made("a needle"), assets)).toMatchObject({ ok: true });
    expect(checked({ contract_path: "c.json" }, made("hay"), assets)).toMatchObject({
      findings: ["text: expected needle, got nothing"],
    });
  });

  it("[W-7.1] evidence is bounded", () => {
    const long = "x".repeat(5_000);
    const verification = checked(
      { required_text: [`${long}1`, ...Array.from({ length: 150 }, (_, n) => `no ${n}`)] },
      made("y"),
    );
    expect(verification.checks).toHaveLength(100);
    expect(verification.findings).toHaveLength(100);
    expect(JSON.stringify(verification).length).toBeLessThan(100 * 1_600);
    expect(String(verification.checks?.[0]?.expected)).toHaveLength(500);
  });
});

describe("a verifier in code", () => {
  it.each<[string, JsonObject, object]>([
    ["true", { data: true }, { kind: "function", ok: true }],
    ["false", { data: false }, { ok: false, findings: ["function: expected judge, got not ok"] }],
    ["an object", { data: { ok: false, findings: ["too long", 5], kind: "style" } }, { kind: "style", ok: false }],
    ["a result", { ok: true }, { ok: true }],
    ["neither", { data: "maybe" }, { ok: false }],
  ])("[W-7.1] may answer %s", (_name, answer, expected) => {
    const { shell } = runFixture();
    accepted(shell, createRun(graphWith({ function: "judge" }), { options: { max_steps: 2 } }));
    const make = step(shell).next;
    const check = step(shell, { attempt_token: make?.attempt_token ?? "", result: made("x") }).next;
    expect(check).toMatchObject({ mode: "function", function: { name: "judge", input: { text: "x" } } });
    step(shell, { attempt_token: check?.attempt_token ?? "", result: { ...DONE, ...answer } });
    expect(completions(shell)[1]).toMatchObject({ node_id: "check", verification: expected });
  });

  it("[W-6.8] a verifier that could not be called at all is an error, no verdict", () => {
    const { shell } = runFixture();
    accepted(shell, createRun(graphWith({ function: "judge" }), { options: { max_steps: 2 } }));
    driveAll(shell, (node) => (node === "check" ? { __workflow_stage_error: true, error: "gone" } : DONE));
    expect(completions(shell)[1]).toMatchObject({ branch: "error", verification: null });
  });
});

describe("what a verification found", () => {
  it("[W-8.3] is told to the stages it leads to until it passes, and to no other", () => {
    const { shell } = runFixture();
    accepted(shell, createRun(graphWith({ function: "judge" }), { options: { max_steps: 20 } }));
    const prompts: (readonly [string, string])[] = [];
    const verdicts = [{ ok: false, findings: ["<first>"] }, { ok: false, findings: ["second"] }, { ok: true }];
    let reply = step(shell);
    while (reply.next !== null) {
      const { node_id, attempt_token, prompt } = reply.next;
      if (prompt !== undefined) prompts.push([node_id, prompt]);
      const data = verdicts[0] ?? true;
      if (node_id === "check") verdicts.shift();
      reply = step(shell, { attempt_token, result: node_id === "check" ? { ...DONE, data } : DONE });
    }
    const told = prompts.map(([node, prompt]) => [
      node,
      /<verification_findings>[\s\S]*?\n- ([^\n]*)/.exec(prompt)?.[1] ?? null,
    ]);
    expect(told).toEqual([
      ["aside", null],
      ["repair", "&lt;first&gt;"],
      ["repair", "second"],
    ]);
    expect(shell.state?.findings).toEqual({});
  });
});
