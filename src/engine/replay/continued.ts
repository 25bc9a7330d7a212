import type { RunRecord } from "../../schema/record.ts";

/** Where the newest producer's artifacts begin in a record that a run continues; 0 when nothing says so. */
export const newestFrom = (base: RunRecord): number => {
  const producer = base.stages.findLast((stage) => stage.produced_artifact_ids.length > 0);
  const first = producer?.produced_artifact_ids[0];
  if (first === undefined) return 0;
  const at = base.artifacts.findLastIndex((artifact) => artifact.id === first);
  return Math.max(at, 0);
};

/** How often each node was executed in a record that a run continues. */
export const visitsOf = (base: RunRecord): Readonly<Record<string, number>> => {
  const visits: Record<string, number> = {};
  for (const { node_id: node } of base.stages)
    visits[node] = (Object.hasOwn(visits, node) ? (visits[node] ?? 0) : 0) + 1;
  return visits;
};
