import { isObject, type Json } from "../lib/json.ts";
import type { Check } from "./check.ts";
import type { DocumentEdge, Registries, WorkflowDefinition, WorkflowDocument } from "./definition.ts";
import type { Next } from "./node-fields.ts";

/** A copy as JSON has it: without the keys that are not set. */
const plain = (value: unknown): Json => {
  if (Array.isArray(value)) return value.map(plain);
  if (!isObject(value)) return (value ?? null) as Json;
  const set = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return Object.fromEntries(set.map(([key, entry]) => [key, plain(entry)]));
};

const edgesTo = (from: string, targets: string | readonly string[], branch: string | null): readonly DocumentEdge[] =>
  [targets].flat().map((to) => (branch === null ? { from, to } : { from, to, branch }));

const edgesOfNext = (from: string, next: Next | undefined): readonly DocumentEdge[] => {
  if (next === undefined) return [];
  if (typeof next === "string" || Array.isArray(next)) return edgesTo(from, next as string | readonly string[], null);
  return Object.entries(next).flatMap(([branch, targets]) =>
    edgesTo(from, targets, branch === "default" ? null : branch),
  );
};

/**
 * Gives the JSON document of a workflow, the same for equal definitions (spec/workflow 1, 2).
 *
 * The compiler checks that the entry and both ends of every edge are nodes, that a node gives the branches its edges name,
 * that conditions lead on for both answers, that fields belong to the node's kind and mode and, with registries, that
 * functions, tools and reducers are registered. Edges from `next` come after those of `edges`, in the order of the nodes.
 */
export const defineWorkflow = <const Definition extends WorkflowDefinition, const Known extends Registries = {}>(
  definition: Definition & Check<Definition, Known>,
  _registries?: Known,
): WorkflowDocument<Definition> => {
  const { id, name, entry, nodes, edges, ...rest }: WorkflowDefinition = definition;
  const drawn = Object.entries(nodes).flatMap(([from, { next }]) => edgesOfNext(from, next));
  const without = Object.entries(nodes).map(([key, { next: _next, ...node }]) => [key, node] as const);
  const document = {
    id,
    name,
    entry,
    nodes: Object.fromEntries(without),
    edges: [...(edges ?? []), ...drawn],
    ...rest,
  };
  return plain(document) as unknown as WorkflowDocument<Definition>;
};
