import type { JsonObject } from "../lib/json.ts";
import type { ApprovalPolicyInput, CapabilityPolicyInput, NodeFields } from "./node-fields.ts";

/** An edge; without a branch it is a default edge (spec/workflow 1.2). */
export interface EdgeFields {
  readonly from: string;
  readonly to: string;
  readonly branch?: string | null;
  readonly label?: string | null;
}

/** What `defineWorkflow` takes (spec/workflow 1.1); edges stand in `edges`, in the `next` of nodes, or in both. */
export interface WorkflowDefinition {
  readonly id: string;
  readonly name?: string | null;
  readonly entry: string;
  readonly nodes: { readonly [id: string]: NodeFields };
  readonly edges?: readonly EdgeFields[];
  readonly capability_policy?: CapabilityPolicyInput;
  readonly approval_policy?: ApprovalPolicyInput;
  readonly metadata?: JsonObject;
}

/** Something registered in code under names, such as the functions of a deployment. */
export interface Names {
  readonly names: readonly string[];
}

/** The registries a definition is checked against; names are not checked where their registry is not given. */
export interface Registries {
  readonly functions?: Names;
  readonly tools?: Names;
  readonly reducers?: Names;
}

/** An edge of a document. */
export interface DocumentEdge<Id extends string = string> {
  readonly from: Id;
  readonly to: Id;
  readonly branch?: string | null;
  readonly label?: string | null;
}

type IdOf<Definition extends WorkflowDefinition> = keyof Definition["nodes"] & string;

/** The graph as `PUT /v1/workflows/{workflow_id}` and `POST /v1/runs` take it, with the literal types of its definition. */
export type WorkflowDocument<Definition extends WorkflowDefinition> = {
  readonly [Key in Exclude<keyof Definition, "nodes" | "edges">]: Definition[Key];
} & {
  readonly nodes: { readonly [Id in keyof Definition["nodes"]]: Omit<Definition["nodes"][Id], "next"> };
  readonly edges: readonly DocumentEdge<IdOf<Definition>>[];
};
