import { describe, expect, it } from "vitest";
import { normalizeArtifact } from "../../../src/engine/artifact/normalize.ts";
import { executeCondition } from "../../../src/engine/node/condition.ts";
import { executeEscalation } from "../../../src/engine/node/escalation.ts";
import { executeFork, executeJoin } from "../../../src/engine/node/fork-join.ts";
import { executeReduce } from "../../../src/engine/node/reduce.ts";
import {
  augmentArtifact,
  augmentResult,
  outputArtifact,
  type StageInput,
} from "../../../src/engine/node/stage-output.ts";
import { workflowNodeSchema } from "../../../src/schema/graph.ts";
import { must } from "../../support/run-fixture.ts";

const context = { now: 7_000, nextId: (prefix: string) => `${prefix}_1` };
const node = (fields: object) => workflowNodeSchema.parse({ id: "n", kind: "stage", ...fields });
const artifacts = [
  normalizeArtifact({ id: "a", kind: "plan", text: "go build" }, context),
  normalizeArtifact({ id: "b", kind: "plan", data: 1 }, context),
  normalizeArtifact({ id: "c", kind: "summary", text: "halt" }, context),
];

describe("static kinds", () => {
  it("[W-6.4] fork and join are markers", () => {
    expect(executeFork()).toEqual({
      result: { status: "completed", text: "forked" },
      artifacts: [],
      outcome: "forked",
      branch: "fork",
    });
    expect(executeJoin()).toMatchObject({ result: { text: "joined" }, outcome: "joined", branch: "join" });
  });

  it.each([
    [{ contains_text: "build" }, true],
    [{ contains_text: "never" }, false],
    [{ contains_text: "never", artifact_kind: "plan" }, false],
    [{ artifact_kind: "summary" }, true],
    [{ artifact_kind: "diff" }, false],
    [{ contains_text: 3 }, true],
    [{}, true],
  ])("[W-6.1] the condition %j is %j", (metadata, holds) => {
    expect(executeCondition(node({ metadata }), artifacts)).toEqual({
      result: { status: "completed", text: String(holds) },
      artifacts: [],
      outcome: `condition_${holds}`,
      branch: String(holds),
    });
  });

  it("[W-6.1] without settings a condition asks whether anything was selected", () => {
    expect(executeCondition(node({}), []).branch).toBe("false");
  });

  it("[W-6.2] reduce joins the texts there are and remembers every input", () => {
    expect(must(executeReduce(node({ kind: "reduce" }), artifacts, context))).toMatchObject({
      result: { status: "completed", text: "go build\n\nhalt" },
      outcome: "reduced",
      branch: "reduced",
      artifacts: [
        {
          id: "n_artifact_1",
          kind: "summary",
          title: "reduce n output",
          text: "go build\n\nhalt",
          data: "go build\n\nhalt",
          lineage: ["a", "b", "c"],
          metadata: { index: 0 },
        },
      ],
    });
  });

  it("[W-6.2] separator and kind are the node's", () => {
    const custom = node({ reduce_policy: { separator: "," }, output_contract: { output_kinds: ["plan"] } });
    expect(must(executeReduce(custom, artifacts, context))).toMatchObject({
      result: { text: "go build,halt" },
      artifacts: [{ kind: "plan" }],
    });
  });

  it("[W-6.3] an escalation records queue, level and reason", () => {
    const escalation = node({ escalation_policy: { queue: "oncall", level: "p1" } });
    expect(executeEscalation(escalation, artifacts, context)).toMatchObject({
      result: { status: "completed", text: "manual review required" },
      outcome: "escalated",
      branch: "escalated",
      artifacts: [
        {
          kind: "plan",
          title: "escalation n",
          text: null,
          data: { queue: "oncall", level: "p1", reason: "manual review required" },
          lineage: ["a", "b", "c"],
        },
      ],
    });
  });
});

describe("the output of a stage", () => {
  const result = { status: "completed", text: "made", visible_text: "shown", tools: { calls: [] } };

  it("[W-8.5] the artifact carries the text, the raw result, its inputs and the paths that may have changed", () => {
    const stage = node({
      output_contract: { output_kinds: ["diff", "summary"] },
      approval_policy: { write_path_allowlist: ["src/**"] },
    });
    expect(outputArtifact({ node: stage, result, selectedIds: ["in"], context })).toEqual({
      _type: "artifact",
      id: "artifact_1",
      kind: "diff",
      title: "stage n output",
      text: "made",
      data: result,
      source: "n",
      stage: "n",
      created_at: "7",
      freshness: "fresh",
      priority: 90,
      relevance: 1,
      estimated_tokens: 1,
      lineage: ["in"],
      metadata: { input_artifact_ids: ["in"], node_kind: "stage", changed_paths: ["src/**"] },
    });
  });

  it("[W-8.5] the kind falls back by node kind and a missing text is empty", () => {
    const verify = outputArtifact({ node: node({ kind: "verify" }), result: {}, selectedIds: [], context });
    expect(verify).toMatchObject({ kind: "verification_result", text: "" });
    expect(verify.metadata).not.toHaveProperty("changed_paths");
    expect(outputArtifact({ node: node({}), result: {}, selectedIds: [], context }).kind).toBe("artifact");
  });

  const input: StageInput = {
    prompt: "P",
    system_prompt: "S",
    rendered_context: "C",
    rendered_verification_context: "V",
    selected_artifact_ids: ["in"],
    selected_artifact_titles: ["In"],
    tool_format: "text",
  };

  it("[W-8.5] a shown result says how it was asked for", () => {
    expect(augmentResult(result, input)).toEqual({
      ...result,
      prompt: "P",
      system_prompt: "S",
      rendered_context: "C",
      rendered_verification_context: "V",
      selected_artifact_ids: ["in"],
      selected_artifact_titles: ["In"],
      tools: { mode: "text", calls: [] },
    });
    expect(augmentResult({ tools: 3 }, input)["tools"]).toEqual({ mode: "text" });
    expect(augmentResult({ tools: { mode: "native" } }, input)["tools"]).toEqual({ mode: "native" });
    expect(augmentResult({}, { ...input, tool_format: null })).not.toHaveProperty("tools");
  });

  it("[W-8.5] contracts are shown where there are any", () => {
    expect(augmentResult(result, { ...input, verification_contracts: [] })).not.toHaveProperty(
      "verification_contracts",
    );
  });

  it("[W-8.5] the shown artifact has the shown result, and other data stays", () => {
    const [plan] = artifacts;
    if (plan === undefined) throw new Error("no artifact");
    expect(augmentArtifact({ ...plan, data: { a: 1 } }, input).data).toMatchObject({ a: 1, prompt: "P" });
    expect(augmentArtifact(plan, input)).toBe(plan);
  });
});
