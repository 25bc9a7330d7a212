import type { Json, JsonObject } from "../../lib/json.ts";
import type { DecodedGraph, LegacyNode, WorkflowEdge, WorkflowGraph, WorkflowNode } from "../../schema/graph.ts";

const textAt = (document: JsonObject, ...keys: readonly string[]): string | null => {
  for (const key of keys) {
    const value = document[key];
    if (typeof value === "string" && value !== "") return value;
  }
  return null;
};

const numberAt = (document: JsonObject, key: string): number | null => {
  const value = document[key];
  return typeof value === "number" ? value : null;
};

const wholeNumberAt = (document: JsonObject, key: string): number | null => {
  const value = numberAt(document, key);
  return value !== null && Number.isSafeInteger(value) ? value : null;
};

const VERIFY_KEYS = ["assert_text", "command", "expect_status", "expect_text"] as const;

const verifyConfig = ({ key, node, source }: LegacyNode): Json => {
  if (key !== "verify" || node.verify !== null) return node.verify;
  if (!VERIFY_KEYS.some((field) => Object.hasOwn(source, field))) return null;
  return Object.fromEntries(VERIFY_KEYS.map((field) => [field, source[field] ?? null]));
};

const upgradeNode = (legacy: LegacyNode, document: JsonObject): WorkflowNode => {
  const { key, node } = legacy;
  const policy = node.model_policy;
  return {
    ...node,
    id: key,
    kind: node.kind || (key === "verify" ? "verify" : "stage"),
    mode: node.mode ?? textAt(document, "mode"),
    done_sentinel: node.done_sentinel ?? textAt(document, "done_sentinel"),
    model_policy: {
      ...policy,
      provider: policy.provider ?? textAt(document, "provider"),
      model: policy.model ?? textAt(document, "model"),
      model_tier: policy.model_tier ?? textAt(document, "model_tier", "tier"),
      temperature: policy.temperature ?? numberAt(document, "temperature"),
      max_tokens: policy.max_tokens ?? wholeNumberAt(document, "max_tokens"),
    },
    verify: verifyConfig(legacy),
  };
};

const edge = (from: string, to: string, branch: string | null): WorkflowEdge => ({ from, to, branch, label: null });

const defaultEdges = (keys: ReadonlySet<string>): readonly WorkflowEdge[] => {
  if (!keys.has("act") || !keys.has("verify")) return [];
  const edges = [edge("act", "verify", null)];
  if (keys.has("repair")) edges.push(edge("verify", "repair", "failed"), edge("repair", "verify", "retry"));
  return edges;
};

/** Turns the older act/verify/repair shape into nodes and edges; any other graph is returned as it is (spec/workflow 2). */
export const upgradeLegacyShape = (graph: DecodedGraph): WorkflowGraph => {
  const { legacy, ...rest } = graph;
  if (legacy === undefined) return graph;
  const keys = new Set<string>(legacy.nodes.map(({ key }) => key));
  return {
    ...rest,
    nodes: Object.fromEntries(legacy.nodes.map((node) => [node.key, upgradeNode(node, legacy.document)])),
    entry: graph.entry || (keys.has("act") ? "act" : ""),
    edges: graph.edges.length === 0 ? defaultEdges(keys) : graph.edges,
  };
};
