import type { Context } from "../../../src/engine/machine.ts";
import { normalizeGraph } from "../../../src/engine/graph/normalize.ts";
import type { Result } from "../../../src/lib/result.ts";
import {
  type DecodedGraph,
  decodeGraph,
  decodeNode,
  type WorkflowGraph,
  type WorkflowNode,
} from "../../../src/schema/graph.ts";
import {
  type CapabilityPolicy,
  capabilityPolicySchema,
  type ToolApprovalPolicy,
  toolApprovalPolicySchema,
} from "../../../src/schema/policy.ts";

/** A context whose ids are counted and whose clock stands still. */
export const testContext = (): Context => {
  let count = 0;
  return { now: 1_700_000_000_000, nextId: (prefix) => `${prefix}_${(count += 1)}` };
};

/** The value of a success; a refusal fails the test with its error. */
export const valueOf = <T, E>(result: Result<T, E>): T => {
  if (!result.ok) throw new Error(`unexpected refusal: ${JSON.stringify(result.error)}`);
  return result.value;
};

/** The error of a refusal; a success fails the test. */
export const errorOf = <T, E>(result: Result<T, E>): E => {
  if (result.ok) throw new Error(`unexpected success: ${JSON.stringify(result.value)}`);
  return result.error;
};

/** A decoded graph document. */
export const decoded = (document: unknown): DecodedGraph => valueOf(decodeGraph(document));

/** A normal graph from a document. */
export const graphOf = (document: unknown): WorkflowGraph => normalizeGraph(decoded(document), testContext());

/** A decoded node. */
export const nodeFrom = (document: unknown): WorkflowNode => valueOf(decodeNode(document, "test"));

/** A capability policy from its interesting fields. */
export const policyOf = (fields: unknown): CapabilityPolicy => capabilityPolicySchema.parse(fields);

/** An approval policy from its interesting fields. */
export const approvalOf = (fields: unknown): ToolApprovalPolicy => toolApprovalPolicySchema.parse(fields);
