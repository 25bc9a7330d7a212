import { describe, expect, it } from "vitest";
import { projectRun } from "../../../src/engine/run/project.ts";
import type { Json, JsonObject } from "../../../src/lib/json.ts";
import { capabilityPolicySchema, toolApprovalPolicySchema } from "../../../src/schema/policy.ts";
import { decodeRunRecord } from "../../../src/schema/record.ts";
import { decodeRunOptions } from "../../../src/schema/run.ts";
import { decodeStageOptions } from "../../../src/schema/stage-options.ts";
import { stagePolicies } from "../../../src/engine/policy/scopes.ts";
import { stageNode } from "../../../src/engine/run/stage-node.ts";
import type { Run } from "../../../src/engine/run/state.ts";
import {
  accepted,
  counting,
  createRun,
  DONE,
  refusal,
  runFixture,
  type RunShell,
  step,
} from "../../support/run-fixture.ts";
import { errorOf, valueOf } from "../graph/fixture.ts";

const tool = (name: string, policy: JsonObject = {}) => ({ name, policy });

const graph = (node: JsonObject, more: JsonObject = {}): JsonObject => ({
  id: "wf",
  entry: "a",
  nodes: { a: { kind: "stage", mode: "external", ...node } },
  ...more,
});

const start = (given: Json, options: Json = {}): RunShell => {
  const { shell } = runFixture();
  accepted(shell, createRun(given, { options, drive: "manual" }));
  return shell;
};

const refusedStart = (given: Json, options: Json = {}) => refusal(runFixture().shell, createRun(given, { options }));

const prepare = (options: JsonObject = {}) =>
  ({ type: "prepare_stage", node_id: "a", live_attempts: [], options }) as const;

/** What the open stage of a run may do. */
const policiesOf = (shell: RunShell) => {
  const run = shell.state as Run;
  const options = run.open[0]?.options ?? {};
  return valueOf(stagePolicies(run, stageNode(run, "a", options) as never, options));
};

const TWO_TOOLS = { tools: [tool("read"), tool("edit", { side_effect_level: "workspace_write" })] };

describe("the policy of a run", () => {
  it("[W-10.1] is the builtin ceiling under the run's option, and stands in the record", () => {
    const { shell } = runFixture();
    accepted(shell, createRun(graph({}), { options: { capability_policy: { side_effect_level: "read_only" } } }));
    const policy = { side_effect_level: "read_only", recursion_limit: 8 };
    expect(shell.state?.policy).toMatchObject(policy);
    const record = projectRun(shell.entries(), counting());
    expect(record).toMatchObject({ policy, metadata: { effective_policy: policy } });
    expect(policiesOf(shell).policy).toMatchObject(policy);
  });

  it("[W-10.3] is above graph, node and tools", () => {
    const options = { capability_policy: { tools: ["read", "edit"], side_effect_level: "read_only" } };
    expect(policiesOf(start(graph(TWO_TOOLS), options)).policy).toMatchObject({
      tools: ["read", "edit"],
      side_effect_level: "read_only",
    });
  });

  it("[W-19.32] a node that asks for more than the scopes around it is refused before anything is written", () => {
    expect(refusedStart(graph(TWO_TOOLS), { capability_policy: { tools: ["read"] } })).toEqual({
      code: "policy_exceeds_ceiling",
      detail: "node a: requested tools exceed host ceiling: edit",
      details: { node_id: "a" },
    });
    const inside = graph({ capability_policy: { tools: ["rm"] } }, { capability_policy: { tools: ["read"] } });
    expect(refusedStart(inside)).toMatchObject({ detail: "node a: requested tools exceed host ceiling: rm" });
    expect(
      refusedStart(graph({}, { capability_policy: { tools: ["rm"] } }), { capability_policy: { tools: ["a"] } }),
    ).toMatchObject({ detail: "node a: requested tools exceed host ceiling: rm" });
  });

  it("[W-10.2] an option beyond the run that is continued is refused", () => {
    const record = valueOf(decodeRunRecord({ id: "run-1", policy: { tools: ["read"] } }));
    const command = createRun(graph({}));
    const refused = (tools: readonly string[]) =>
      runFixture().shell.execute({
        ...command,
        options: { ...command.options, resume_run: record, capability_policy: capabilityPolicySchema.parse({ tools }) },
      });
    expect(refused(["rm"])).toMatchObject({
      ok: false,
      rejection: { code: "policy_exceeds_ceiling", detail: "requested tools exceed host ceiling: rm" },
    });
    expect(refused(["read"])).toMatchObject({ ok: true });
  });

  it("[W-10.4] approval rules of option, session, graph and node count together", () => {
    const given = graph({ approval_policy: { auto_approve: ["edit"] } }, { approval_policy: { auto_deny: ["rm"] } });
    const shell = start(given, {
      approval_policy: { require_approval: ["edit"] },
      audit: { approval_policy: { auto_deny: ["sudo"] } },
    });
    expect(policiesOf(shell).approval).toEqual(
      toolApprovalPolicySchema.parse({
        auto_approve: ["edit"],
        auto_deny: ["sudo", "rm"],
        require_approval: ["edit"],
        always_require_approval: ["edit"],
      }),
    );
    expect(start(given).state?.approval_policy).toBeNull();
  });

  it("[W-10.1] options that cannot be read are refused with their path", () => {
    expect(errorOf(decodeRunOptions({ capability_policy: { tools: "all" } })).issues[0]?.path).toBe(
      "capability_policy.tools",
    );
    expect(errorOf(decodeRunOptions({ approval_policy: { auto_deny: 5 } })).issues[0]?.path).toBe(
      "approval_policy.auto_deny",
    );
    expect(valueOf(decodeRunOptions({ capability_policy: null, approval_policy: null }))).not.toHaveProperty(
      "capability_policy",
    );
    expect(errorOf(decodeStageOptions({ policy: { tools: [5] } })).issues[0]?.path).toBe("policy.tools[0]");
    expect(errorOf(decodeStageOptions({ tools: [5] })).issues[0]?.path).toContain("tools");
    expect(valueOf(decodeStageOptions({ model: "m", tools: ["a", { name: "b" }] }))).toEqual({
      model: "m",
      tools: ["a", { name: "b" }],
    });
  });
});

describe("an executor of a stage", () => {
  it.each<[JsonObject, string]>([
    [{ tools: ["read", "rm"] }, "requested tools exceed host ceiling: rm"],
    [{ capability_policy: { tools: ["rm"] } }, "requested tools exceed host ceiling: rm"],
    [{ policy: { side_effect_level: "network" } }, "requested side-effect level exceeds host ceiling: network"],
    [{ approval_policy: { auto_approve: ["edit"] } }, "requested auto_approve patterns exceed host ceiling: edit"],
  ])("[W-10.3] who asks for more, such as %j, is refused and nothing is written", (options, detail) => {
    const shell = start(graph({ ...TWO_TOOLS, approval_policy: { require_approval: ["edit"] } }));
    const { seq } = shell;
    expect(refusal(shell, prepare(options))).toEqual({
      code: "policy_exceeds_ceiling",
      detail,
      details: { node_id: "a" },
    });
    expect(shell.seq).toBe(seq);
  });

  it("[W-10.3] who asks for less gets less, in the plan and in the record", () => {
    const { shell, clock } = runFixture();
    accepted(shell, createRun(graph({ ...TWO_TOOLS }), { drive: "manual" }));
    const reply = accepted(shell, prepare({ tools: ["read"], approval_policy: { auto_deny: ["read_all"] } }));
    if (reply.type !== "plan") throw new Error("no plan");
    expect(reply.plan.llm_options).toMatchObject({ tools: [tool("read")] });
    expect(policiesOf(shell)).toMatchObject({ policy: { tools: ["read"] }, approval: { auto_deny: ["read_all"] } });
    accepted(shell, {
      type: "complete_stage",
      node_id: "a",
      attempt_token: reply.plan.attempt_token,
      result: { ...DONE, tool_calls: [{ name: "read" }] },
    });
    const record = projectRun(shell.entries(), { now: clock.now, nextId: counting().nextId });
    expect(record?.stages[0]?.metadata["effective_capability_policy"]).toMatchObject({ tools: ["read"] });
    expect(record?.policy).toMatchObject({ side_effect_level: "network" });
  });

  it("[W-10.3] who takes an external stage of a driven run is held to the same, and narrows it for good", () => {
    const { shell } = runFixture();
    accepted(shell, createRun(graph({ ...TWO_TOOLS, capability_policy: { tools: ["read", "edit"] } })));
    expect(step(shell).waiting).toBe("external");
    expect(refusal(shell, prepare({ tools: ["rm"] })).code).toBe("policy_exceeds_ceiling");
    accepted(shell, prepare({ tools: ["read"] }));
    expect(policiesOf(shell).policy.tools).toEqual(["read"]);
    expect(refusal(shell, prepare({ tools: ["edit"] })).detail).toBe("requested tools exceed host ceiling: edit");
    accepted(shell, prepare());
    expect(policiesOf(shell).policy.tools).toEqual(["read"]);
  });

  it.each<[JsonObject]>([[{ tool_calls: [{ name: "rm" }] }], [{ tools: { calls: ["rm"] } }]])(
    "[I8] who hands in calls of other tools, such as %j, is refused and nothing is written",
    (reported) => {
      const shell = start(graph(TWO_TOOLS));
      const reply = accepted(shell, prepare());
      if (reply.type !== "plan") throw new Error("no plan");
      const { seq } = shell;
      const complete = { attempt_token: reply.plan.attempt_token, result: { ...DONE, ...reported } };
      const refused = { code: "policy_exceeds_ceiling", detail: "requested tools exceed host ceiling: rm" };
      expect(refusal(shell, { type: "complete_stage", node_id: "a", ...complete })).toMatchObject(refused);
      expect(refusal(shell, { type: "advance", live_attempts: [], complete })).toMatchObject(refused);
      expect(shell.seq).toBe(seq);
      accepted(shell, { type: "complete_stage", node_id: "a", ...complete, result: DONE });
    },
  );
});

describe("what a stage does itself", () => {
  const http = { kind: "stage", mode: "http", http: { url: "https://example.com" } };
  const verify = { kind: "verify", verify: { command: "make test" } };

  it.each<[string, JsonObject, string]>([
    ["an http stage", http, "Error [tool_rejected]: builtin 'http_request' exceeds network ceiling"],
    ["a verify command", verify, "Error [tool_rejected]: builtin 'exec' exceeds process.exec ceiling"],
  ])("[I8] %s beyond its ceiling fails without being executed", (_name, node, error) => {
    const { shell, clock } = runFixture();
    accepted(shell, createRun(graph(node), { options: { capability_policy: { side_effect_level: "read_only" } } }));
    expect(step(shell)).toMatchObject({ next: null, status: "completed" });
    const record = projectRun(shell.entries(), { now: clock.now, nextId: counting().nextId });
    expect(record?.stages[0]).toMatchObject({ status: "failed", branch: "error", metadata: { error } });
  });

  it("[I8] and is executed within it", () => {
    const { shell } = runFixture();
    accepted(shell, createRun(graph(http)));
    expect(step(shell).next?.mode).toBe("http");
  });
});
