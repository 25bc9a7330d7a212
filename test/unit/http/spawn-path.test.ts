import { describe, expect, it } from "vitest";
import { spawnPath } from "../../../src/http/spawn-path.ts";
import { decodeSpawnConfig } from "../../../src/schema/worker-spawn.ts";
import { decodeWebhookOrder } from "../../../src/schema/worker-webhook.ts";
import type { JsonObject } from "../../../src/lib/json.ts";

const node = { kind: "stage" };

/** The path of what is wrong with a spawn config. */
const pathOf = (config: JsonObject): string => {
  const webhook = decodeWebhookOrder(config["webhook"]);
  if (!webhook.ok) return spawnPath(webhook.error);
  const read = decodeSpawnConfig(config);
  if (!read.ok) return spawnPath(read.error);
  const { carry, policy, execution, audit, kind } = read.value;
  for (const part of [carry, policy, execution, audit, kind]) if (!part.ok) return spawnPath(part.error);
  return "nothing is wrong";
};

describe("the field that is wrong with a spawn config", () => {
  it.each<readonly [string, JsonObject]>([
    ["task", { node }],
    ["policy.tools[0]", { task: "t", node, policy: { tools: [1] } }],
    ["policy", { task: "t", node, policy: [] }],
    ["carry.transcript_mode", { task: "t", node, carry: { transcript_mode: "odd" } }],
    ["carry.context_policy.max_artifacts", { task: "t", node, carry: { context_policy: { max_artifacts: "x" } } }],
    ["execution.cwd", { task: "t", node, execution: { cwd: 1 } }],
    ["audit.session_id", { task: "t", node, audit: { session_id: 1 } }],
    ["node.kind", { task: "t", node: { kind: 1 } }],
    ["graph.nodes", { task: "t", graph: { entry: "a", nodes: 1 } }],
    ["sub_agent", { task: "t", sub_agent: 1 }],
    ["sub_agent.allowed_tools", { task: "t", sub_agent: { allowed_tools: 1 } }],
    ["webhook.headers.toString", { task: "t", node, webhook: { url: "https://a.example", headers: { toString: 1 } } }],
    ["webhook.events.0", { task: "t", node, webhook: { url: "https://a.example", events: ["odd"] } }],
  ])("[L-2] is %s", (path, config) => {
    expect(pathOf(config)).toBe(path);
  });

  it("[L-3.1] is the shorthand of tools", () => {
    expect(spawnPath("spawn_agent: tools shorthand must be a list of strings")).toBe("tools");
  });

  it("[L-18.1] is the part of the conditions", () => {
    expect(spawnPath("HARN-SUS-002: invalid ResumeConditions.timeout.duration_minutes: must be > 0")).toBe(
      "options.resume_when.timeout.duration_minutes",
    );
    expect(spawnPath("HARN-SUS-002: invalid ResumeConditions.root: expected dict or nil, got string")).toBe(
      "options.resume_when",
    );
  });
});
