import * as z from "zod";
import { isObject, type JsonObject } from "../lib/json.ts";
import { nodeIdProblem } from "../lib/node-id.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { decodeAt, decodeDocument, decodeError, type DecodeError, type DecodeIssue, nestingIssue } from "./decode.ts";
import { flag, json, listOf, optionalJson, optionalText, text, texts, uint } from "./lenient.ts";
import {
  autoCompactPolicySchema,
  branchSemanticsSchema,
  capabilityPolicySchema,
  contextPolicySchema,
  escalationPolicySchema,
  joinPolicySchema,
  mapPolicySchema,
  modelPolicySchema,
  reducePolicySchema,
  retryPolicySchema,
  sortedMap,
  stageContractSchema,
  toolApprovalPolicySchema,
} from "./policy.ts";
import { toolHooksSchema } from "./tool-hook.ts";

export type { ContextPolicy, StageContract, VerificationContract } from "./policy.ts";

/** How large a graph may be. */
export const GRAPH_LIMITS = { nodes: 5_000, edges: 20_000 } as const;

const nodeIdSchema = z.string().superRefine((id, check) => {
  const problem = nodeIdProblem(id);
  if (problem !== null) check.addIssue(problem);
});

/** The call of a stage with mode `http`; texts may hold templates. */
export const nodeHttpSchema = z
  .object({
    method: z.string().nullable().exactOptional(),
    url: text,
    headers: z.record(z.string(), z.string()).readonly().nullable().exactOptional(),
    body: z.exactOptional(json),
    timeout_ms: z.number().int().nonnegative().nullable().exactOptional(),
    expect_status: z.number().int().nullable().exactOptional(),
  })
  .readonly();

/** How long a stage with mode `sleep` waits: so many milliseconds, or until a moment (RFC 3339). */
export const nodeSleepSchema = z
  .object({
    ms: z.number().int().nonnegative().nullable().exactOptional(),
    until: z.string().nullable().exactOptional(),
  })
  .readonly();

/** Characters of a message's name, as in a mailbox: a longer one could never be heard. */
const MAX_MESSAGE_NAME = 200;

/** The message of its workflow's mailbox that a stage with mode `wait` waits for, and for how long at most. */
export const nodeWaitSchema = z
  .object({
    message: z.string().max(MAX_MESSAGE_NAME).default(""),
    timeout_ms: z.number().int().nonnegative().nullable().exactOptional(),
  })
  .readonly();

const anything = z.exactOptional(json);
const words = z.string().nullable().exactOptional();

/** What a stage with mode `person` asks people (spec/workers 24); its values may hold templates. */
export const nodePersonSchema = z
  .object({
    kind: z.enum(["question", "approval", "dual_control", "escalation"]),
    prompt: words,
    schema: anything,
    default: anything,
    action: words,
    args: anything,
    detail: anything,
    quorum: anything,
    reviewers: anything,
    principal: words,
    evidence_refs: anything,
    undo_metadata: anything,
    capabilities_requested: anything,
    n: anything,
    m: anything,
    approvers: anything,
    handler: words,
    input: anything,
    role: words,
    reason: words,
    timeout_ms: z.number().int().nonnegative().nullable().exactOptional(),
  })
  .readonly();

/** One node of a workflow (spec/workflow 1.3); the keys from `context_assembler` on are present only where given. */
export const workflowNodeSchema = z
  .object({
    id: nodeIdSchema.nullable().default(null),
    kind: text,
    mode: optionalText,
    prompt: optionalText,
    system: optionalText,
    task_label: optionalText,
    done_sentinel: optionalText,
    tools: optionalJson,
    model_policy: modelPolicySchema.prefault({}),
    auto_compact: autoCompactPolicySchema.prefault({}),
    output_visibility: optionalText,
    context_policy: contextPolicySchema.prefault({}),
    retry_policy: retryPolicySchema.prefault({}),
    capability_policy: capabilityPolicySchema.prefault({}),
    approval_policy: toolApprovalPolicySchema.prefault({}),
    input_contract: stageContractSchema.prefault({}),
    output_contract: stageContractSchema.prefault({}),
    branch_semantics: branchSemanticsSchema.prefault({}),
    map_policy: mapPolicySchema.prefault({}),
    join_policy: joinPolicySchema.prefault({}),
    reduce_policy: reducePolicySchema.prefault({}),
    escalation_policy: escalationPolicySchema.prefault({}),
    verify: optionalJson,
    exit_when_verified: flag,
    metadata: sortedMap(json),
    context_assembler: z.exactOptional(json),
    tool_hooks: toolHooksSchema.exactOptional(),
    http: nodeHttpSchema.nullable().exactOptional(),
    function: z.string().nullable().exactOptional(),
    input: z.exactOptional(json),
    timeout_ms: z.number().int().nonnegative().nullable().exactOptional(),
    sleep: nodeSleepSchema.nullable().exactOptional(),
    wait: nodeWaitSchema.nullable().exactOptional(),
    person: nodePersonSchema.nullable().exactOptional(),
    script: z.exactOptional(json),
    output_schema: z.exactOptional(json),
  })
  .readonly();

/** One node of a workflow (spec/workflow 1.3). */
export type WorkflowNode = z.output<typeof workflowNodeSchema>;

/** An edge; without a branch it is a default edge (spec/workflow 1.2). */
export const workflowEdgeSchema = z
  .object({
    from: nodeIdSchema.prefault(""),
    to: nodeIdSchema.prefault(""),
    branch: optionalText,
    label: optionalText,
  })
  .readonly();

/** An edge; without a branch it is a default edge (spec/workflow 1.2). */
export type WorkflowEdge = z.output<typeof workflowEdgeSchema>;

/** One entry of a graph's mutation log (spec/workflow 1.1); `timestamp` is RFC 3339. */
export const workflowAuditEntrySchema = z
  .object({
    id: text,
    op: text,
    node_id: optionalText,
    timestamp: text,
    reason: optionalText,
    metadata: sortedMap(json),
  })
  .readonly();

/** A workflow (spec/workflow 1.1). */
export const workflowGraphSchema = z
  .object({
    _type: text,
    id: text,
    name: optionalText,
    version: uint,
    entry: text,
    nodes: sortedMap(workflowNodeSchema),
    edges: listOf(workflowEdgeSchema),
    capability_policy: capabilityPolicySchema.prefault({}),
    approval_policy: toolApprovalPolicySchema.prefault({}),
    metadata: sortedMap(json),
    audit_log: listOf(workflowAuditEntrySchema),
  })
  .readonly();

/** A workflow (spec/workflow 1.1). */
export type WorkflowGraph = z.output<typeof workflowGraphSchema>;

/** The keys of the older shape, in the order they are read (spec/workflow 2, step 2). */
export const LEGACY_KEYS = ["act", "verify", "repair"] as const;

/** One node of the older shape, decoded and as it was given. */
export interface LegacyNode {
  readonly key: (typeof LEGACY_KEYS)[number];
  readonly node: WorkflowNode;
  readonly source: JsonObject;
}

/** A decoded graph before normalisation; `legacy` is present where the document has the act/verify/repair shape. */
export type DecodedGraph = WorkflowGraph & {
  readonly legacy?: { readonly document: JsonObject; readonly nodes: readonly LegacyNode[] };
};

/** What validation found (spec/workflow 3). */
export const validationReportSchema = z
  .object({ valid: z.boolean(), errors: texts, warnings: texts, reachable_nodes: texts })
  .readonly();

/** What validation found (spec/workflow 3). */
export type ValidationReport = z.output<typeof validationReportSchema>;

const PATH_ID_CHARACTERS = 64;

/** An id that may hold anything, made fit for an error path. */
const printable = (id: string): string =>
  id
    .slice(0, PATH_ID_CHARACTERS)
    .replaceAll(/[^\u0020-\u007e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

const limitIssues = (document: JsonObject): readonly DecodeIssue[] => {
  const { nodes, edges } = document;
  const issues: DecodeIssue[] = [];
  if (isObject(nodes)) {
    const ids = Object.keys(nodes);
    if (ids.length > GRAPH_LIMITS.nodes) {
      issues.push({ path: "nodes", message: `must have at most ${GRAPH_LIMITS.nodes} nodes` });
    } else {
      for (const id of ids) {
        const problem = nodeIdProblem(id);
        if (problem !== null) issues.push({ path: `nodes.${printable(id)}`, message: `node id ${problem}` });
      }
    }
  }
  if (Array.isArray(edges) && edges.length > GRAPH_LIMITS.edges) {
    issues.push({ path: "edges", message: `must have at most ${GRAPH_LIMITS.edges} edges` });
  }
  return issues;
};

const decodeLegacyNodes = (document: JsonObject): Result<readonly LegacyNode[], readonly DecodeIssue[]> => {
  const nodes: LegacyNode[] = [];
  for (const key of LEGACY_KEYS) {
    const source = document[key];
    if (source === undefined || !Object.hasOwn(document, key)) continue;
    const node = decodeAt(workflowNodeSchema, source, [key]);
    if (!node.ok) return node;
    if (isObject(source)) nodes.push({ key, node: node.value, source });
  }
  return ok(nodes);
};

/**
 * Decodes a graph document leniently and within limits: 5,000 nodes, 20,000 edges, 64 levels of nesting, ids that can be
 * keys. The text of an error starts with `orchestration parse error at {path}: ` (spec/workflow 0.1 and 2, step 1).
 */
export const decodeGraph = (value: unknown): Result<DecodedGraph, DecodeError> => {
  const fail = (issues: readonly DecodeIssue[]) => err(decodeError("orchestration", value, issues));
  const tooDeep = nestingIssue(value);
  if (tooDeep !== null) return fail([tooDeep]);
  if (isObject(value)) {
    const issues = limitIssues(value);
    if (issues.length > 0) return fail(issues);
  }
  const graph = decodeAt(workflowGraphSchema, value);
  if (!graph.ok) return fail(graph.error);
  if (!isObject(value) || Object.keys(graph.value.nodes).length > 0) return graph;
  const legacy = decodeLegacyNodes(value);
  if (!legacy.ok) return fail(legacy.error);
  return ok(
    legacy.value.length === 0 ? graph.value : { ...graph.value, legacy: { document: value, nodes: legacy.value } },
  );
};

/** Decodes one node under a label such as `workflow_insert_node` (spec/workflow 0.1). */
export const decodeNode = (value: unknown, label: string): Result<WorkflowNode, DecodeError> =>
  decodeDocument(workflowNodeSchema, label, value);

/** Decodes one edge under a label such as `workflow_insert_node edge` (spec/workflow 0.1). */
export const decodeEdge = (value: unknown, label: string): Result<WorkflowEdge, DecodeError> =>
  decodeDocument(workflowEdgeSchema, label, value);
