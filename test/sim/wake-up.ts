import { joinIsReady } from "../../src/engine/graph/edges.ts";
import type { PreparedStage, Run } from "../../src/engine/run/state.ts";
import { placesTaken } from "./units.ts";

const PARKED: ReadonlySet<string> = new Set(["external", "sleep", "wait", "subagent", "person"]);

/** When somebody has to look after an open unit at the latest; null where something from outside comes first. */
const dueAt = (unit: PreparedStage, latest: number): number | null => {
  if (unit.settled !== null) return null;
  if (unit.deadline_ms !== null) return Math.max(unit.deadline_ms, latest);
  // What people have released is a driver's to carry out.
  if (PARKED.has(unit.mode) && (unit.mode !== "person" || unit.holder === "nobody")) return null;
  if (unit.map !== null || (unit.loop?.pending.length ?? 0) > 0) return null;
  return Math.max(unit.retry_at_ms ?? 0, latest);
};

/** A node that nothing keeps from being opened; a map counts with its next branch. */
const openable = (run: Run): string | null => {
  for (const { map, work, settled, stage_id, node_id } of run.open) {
    if (map === null || work.type !== "map" || settled !== null) continue;
    const { total, target, concurrency } = work.map;
    const underWay = run.open.filter((unit) => unit.branch_of?.map_stage_id === stage_id).length;
    if (map.settled.length < target && map.started < total && underWay < concurrency) return node_id;
  }
  if (run.steps >= run.max_steps || placesTaken(run) >= run.max_parallel) return null;
  const isFree = (nodeId: string): boolean => {
    if (run.open.some((unit) => unit.node_id === nodeId)) return false;
    return run.graph.nodes[nodeId]?.kind !== "join" || joinIsReady(run.graph, nodeId, run.completed);
  };
  return run.ready.find(isFree) ?? null;
};

/** A completed stage whose turn in the record has come. */
const recordable = (run: Run): string | null => {
  const first = run.open.find((unit) => unit.branch_of === null && !(run.max_parallel > 1 && PARKED.has(unit.mode)));
  return first !== undefined && first.settled !== null ? first.node_id : null;
};

/** What the engine could have gone on with when it said that there is nothing to execute; null when that is right. */
export const leftUndone = (run: Run): string | null => {
  if (run.status !== "running" || run.untransitioned !== null) return null;
  if (run.open.length === 0) return run.ready[0] ?? null;
  return openable(run) ?? recordable(run);
};

/** The latest moment for which the alarm of a run that goes on may be set; null where something from outside comes first. */
export const latestAlarm = (run: Run, latest: number): number | null => {
  const times = run.open.map((unit) => dueAt(unit, latest)).filter((at): at is number => at !== null);
  if (run.deadline_ms !== null) times.push(Math.max(run.deadline_ms, latest));
  if (leftUndone(run) !== null) times.push(latest);
  return times.length === 0 ? null : Math.min(...times);
};

/** Until when a run only sleeps; null when there is anything else to do or to wait for. */
export const sleepsUntil = (run: Run | null): number | null => {
  if (run === null || run.status !== "running" || run.open.length === 0 || leftUndone(run) !== null) return null;
  const times = run.open.map((unit) => (unit.work.type === "sleep" ? unit.deadline_ms : null));
  return times.includes(null) ? null : Math.min(...(times as number[]));
};
