import { isObject, type Json } from "../../lib/json.ts";
import type { WorkflowGraph } from "../../schema/graph.ts";
import { escapeMarkup } from "../artifact/render.ts";
import { outgoingEdges } from "../graph/edges.ts";

/** What the newest failed verification of each verify node found, since it passed last. */
export type OpenFindings = Readonly<Record<string, readonly string[]>>;

/** No verification has failed. */
export const NO_FINDINGS: OpenFindings = {};

/** What of a completed stage matters here. */
export interface VerifiedStage {
  readonly node_id: string;
  readonly verification: Json;
  readonly error: string | null;
}

const findingsIn = ({ verification, error }: VerifiedStage): readonly string[] => {
  if (!isObject(verification)) return error === null ? [] : [error];
  if (verification["ok"] !== false) return [];
  const { findings } = verification;
  const texts = (Array.isArray(findings) ? findings : []).filter((one): one is string => typeof one === "string");
  return texts.length > 0 ? texts : [error ?? "verification failed"];
};

/** The findings after a stage: those of its node are replaced when it is a verify node (spec/workflow 6.9, 7). */
export const foldFindings = (open: OpenFindings, kind: string, stage: VerifiedStage): OpenFindings => {
  if (kind !== "verify") return open;
  const found = findingsIn(stage);
  if (found.length > 0) return { ...open, [stage.node_id]: found };
  if (!Object.hasOwn(open, stage.node_id)) return open;
  const { [stage.node_id]: _passed, ...others } = open;
  return others;
};

// Memoisation only: graphs are never changed in place.
const reached = new WeakMap<readonly unknown[], Map<string, ReadonlySet<string>>>();

/** The nodes that any path leads to from a node. */
const reachableFrom = (graph: Pick<WorkflowGraph, "edges">, from: string): ReadonlySet<string> => {
  const known = reached.get(graph.edges) ?? new Map<string, ReadonlySet<string>>();
  reached.set(graph.edges, known);
  const found = known.get(from);
  if (found !== undefined) return found;
  const nodes = new Set(outgoingEdges(graph, from).map((edge) => edge.to));
  // A set visits what is added while it is walked.
  for (const id of nodes) for (const edge of outgoingEdges(graph, id)) nodes.add(edge.to);
  known.set(from, nodes);
  return nodes;
};

/** Longest text that a prompt gets, in UTF-16 units. */
const MAX_LENGTH = 2_000;

const INTRO = "An earlier result was checked and did not pass. Repair what was found:";
const END = "</verification_findings>";

const blockOf = (nodeId: string, findings: readonly string[]): readonly string[] => [
  `<source_node>${escapeMarkup(nodeId)}</source_node>`,
  ...findings.map((finding) => `- ${escapeMarkup(finding)}`),
];

/**
 * What failed verifications found, told to a stage that one of them leads to; empty for any other, and never longer than
 * 2,000 characters.
 */
export const renderFindings = (open: OpenFindings, graph: Pick<WorkflowGraph, "edges">, nodeId: string): string => {
  const lines = Object.entries(open)
    .filter(([from]) => reachableFrom(graph, from).has(nodeId))
    .flatMap(([from, findings]) => blockOf(from, findings));
  if (lines.length === 0) return "";
  const text = ["<verification_findings>", INTRO, ...lines].join("\n");
  const room = MAX_LENGTH - END.length - 1;
  return `${text.length <= room ? text : `${text.slice(0, room - 3)}...`}\n${END}`;
};
