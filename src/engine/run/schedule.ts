import { joinIsReady } from "../graph/edges.ts";
import { branchesOf, freePlaces, mayRetire, placesLeft } from "./open.ts";
import { nodeSessionId } from "./session-id.ts";
import type { PreparedStage, Run } from "./state.ts";

/** True for a join whose inputs are not there yet (spec/workflow 5.2). */
export const isUnreadyJoin = (run: Run, nodeId: string): boolean =>
  run.graph.nodes[nodeId]?.kind === "join" && !joinIsReady(run.graph, nodeId, run.completed);

/** True when a node's turn in the conversation it shares has not come: who talks in it while it is open, talks first. */
const waitsForSession = (run: Run, nodeId: string): boolean => {
  const node = run.graph.nodes[nodeId];
  const session = node === undefined ? undefined : nodeSessionId(node);
  return session !== undefined && run.open.some((unit) => unit.session_id === session);
};

/**
 * Nodes that could be opened now beside whatever is open, in the order of the queue. A node is never open twice, and of those
 * that share a conversation one is open at a time.
 */
const candidates = (run: Run): readonly string[] =>
  run.ready.filter(
    (nodeId) =>
      !isUnreadyJoin(run, nodeId) && !run.open.some((unit) => unit.node_id === nodeId) && !waitsForSession(run, nodeId),
  );

/**
 * The node to open next, or null. A fork first opens what was open where it begins. With nothing open it is the first of the queue, whatever it is: a join that has to wait
 * takes its step there (spec/workflow 5).
 */
export const nextNode = (run: Run): string | null => {
  const [again] = run.reopen;
  if (again !== undefined) return placesLeft(run) === 0 ? null : again.node_id;
  if (freePlaces(run) === 0) return null;
  if (run.open.length === 0) return run.ready[0] ?? null;
  return candidates(run)[0] ?? null;
};

/** How many more branches of an open map may be started now. */
const startable = (run: Run, map: PreparedStage): number => {
  if (map.map === null || map.work.type !== "map" || map.settled !== null) return 0;
  const { total, concurrency, target } = map.work.map;
  if (map.map.settled.length >= target) return 0;
  return Math.min(total - map.map.started, concurrency - branchesOf(run, map.stage_id).length);
};

/** The open map whose next branch may be started, or null; the one that was opened first comes first. */
export const nextMap = (run: Run): PreparedStage | null =>
  run.open.find((unit) => unit.map !== null && startable(run, unit) > 0) ?? null;

/** True for an open unit that the engine itself can complete: its result is there, or its branches have settled. */
const canClose = ({ work, map, settled }: PreparedStage): boolean => {
  if (settled !== null) return false;
  if (work.type === "map") return map !== null && map.settled.length >= work.map.target;
  return work.type === "precomputed" || work.type === "given";
};

/** True when the run itself can go on, whoever works on its open units. */
export const canGoOn = (run: Run): boolean =>
  (run.open.length === 0 && run.lifecycle.finishing === null) ||
  run.untransitioned !== null ||
  nextNode(run) !== null ||
  nextMap(run) !== null ||
  nextToRetire(run) !== null ||
  run.open.some(canClose);

/** How many further drivers would find something to start. */
export const spareWork = (run: Run): number => {
  if (run.status !== "running") return 0;
  const branches = run.open.reduce((sum, unit) => sum + (unit.map === null ? 0 : startable(run, unit)), 0);
  if (run.max_parallel === 1 && run.open.length > 0) return branches;
  return branches + Math.min(freePlaces(run), candidates(run).length);
};

/**
 * True when a stage that is completed now has to wait for its turn in the record. Whatever can be opened is opened before:
 * what a stage sees then follows from the order of preparation alone, and not from who was faster.
 */
export const mustWait = (run: Run, unit: PreparedStage): boolean =>
  run.max_parallel > 1 && (run.untransitioned !== null || !mayRetire(run, unit) || nextNode(run) !== null);

/** The completed stage whose turn in the record has come, or null. */
export const nextToRetire = (run: Run): PreparedStage | null => {
  if (run.max_parallel === 1) return null;
  return run.open.find((unit) => unit.settled !== null && mayRetire(run, unit)) ?? null;
};
