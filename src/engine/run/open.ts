import { workToAsk } from "./person.ts";
import type { PreparedStage, Reopened, Run } from "./state.ts";

/** The open stage or branch with this id. */
export const openById = (run: Run, stageId: string): PreparedStage | undefined =>
  run.open.find((unit) => unit.stage_id === stageId);

/** The open stage or branch whose current attempt this is. */
export const openByToken = (run: Run, attemptToken: string): PreparedStage | undefined =>
  run.open.find((unit) => unit.attempt_token === attemptToken);

/** The run with an open unit changed. */
export const withOpen = (run: Run, stageId: string, change: (unit: PreparedStage) => PreparedStage): Run => ({
  ...run,
  open: run.open.map((unit) => (unit.stage_id === stageId ? change(unit) : unit)),
});

/** The open stages of a run, for a fork to open them again. */
export const reopenedBy = (run: Run): readonly Reopened[] => [
  ...run.open
    .filter((unit) => unit.branch_of === null)
    .map(({ node_id, selected_artifact_ids, work }) => ({
      node_id,
      prepared: { selected_artifact_ids, work: work.type === "person" ? workToAsk(run, work) : work },
    })),
  ...run.reopen,
];

/** Branches of a map that are under way. */
export const branchesOf = (run: Run, mapStageId: string): readonly PreparedStage[] =>
  run.open.filter((unit) => unit.branch_of?.map_stage_id === mapStageId);

/** True for a stage that waits for the outside and not for an executor: it holds nobody up. */
export const isParked = (unit: PreparedStage): boolean =>
  PARKED.has(unit.mode) || (unit.mode === "command" && unit.holder === "nobody");

const PARKED: ReadonlySet<string> = new Set(["external", "sleep", "wait", "subagent", "person"]);

/** Stages that take one of the run's parallel places. With a single place every stage does (spec/workflow 5). */
const placesTaken = (run: Run): number =>
  run.open.filter((unit) => unit.branch_of === null && !(run.max_parallel > 1 && isParked(unit))).length;

/** Places that no stage takes. */
export const placesLeft = (run: Run): number => Math.max(0, run.max_parallel - placesTaken(run));

/** Places that are free for another stage; none once the run has used up its steps. */
export const freePlaces = (run: Run): number => (run.steps >= run.max_steps ? 0 : placesLeft(run));

/**
 * True when a completed stage may enter the record: stages do so in the order in which they were prepared, so that the
 * record does not depend on who was faster; one that waited for the outside does not hold the others up.
 */
export const mayRetire = (run: Run, unit: PreparedStage): boolean => {
  if (run.open.length === 1) return true;
  if (run.max_parallel > 1 && isParked(unit)) return true;
  for (const other of run.open) {
    if (other === unit) return true;
    if (other.branch_of === null && !(run.max_parallel > 1 && isParked(other))) return false;
  }
  return true;
};
