import { nextEdges } from "../graph/edges.ts";
import type { CompletedReply } from "./command.ts";
import { awaitedWorkers } from "./delegate.ts";
import type { Draft } from "./draft.ts";
import type { Raised } from "./prepare-stage.ts";
import { enqueueUnique } from "./evolve.ts";
import { mustFinish } from "./finish-order.ts";
import type { Completion, FollowedEdge } from "./state.ts";
import { cancelRequests } from "./request-log.ts";
import { recordTransitions } from "./transitions.ts";

/** The answer to a completion, with the edges that follow. */
export const completedReply = (draft: Draft, completion: Completion): CompletedReply => {
  const { handed_in: _, ...stage } = completion;
  return { ...stage, next_edges: nextEdges(draft.run.graph, stage.node_id, stage.branch) };
};

/** Records where a completed stage leads; a replay knows the queue after it. */
export const finishStage = (draft: Draft, completion: Completion, queue?: readonly string[]): void => {
  const { node_id, branch } = completion;
  const edges = nextEdges(draft.run.graph, node_id, branch);
  recordTransitions(draft, completion, edges, queue === undefined ? undefined : changed(draft, edges, queue));
};

/** The queue, where it does not follow from the edges: the journal says nothing twice. */
const changed = (
  { run }: Draft,
  edges: readonly FollowedEdge[],
  queue: readonly string[],
): readonly string[] | undefined => {
  const follows = enqueueUnique(
    run.ready,
    edges.map((edge) => edge.to),
  );
  return follows.length === queue.length && follows.every((node, index) => node === queue[index]) ? undefined : queue;
};

/** Ends a run whose queue is empty, or pauses one that has used up its steps (spec/workflow 4.9). */
export const finalize = (draft: Draft, ready?: readonly string[]): void => {
  const left = ready ?? draft.run.ready;
  if (left.length === 0 && mustFinish(draft)) return;
  draft.emit({
    type: "run_finalized",
    status: left.length === 0 ? "completed" : "paused",
    ...(ready === undefined ? {} : { ready }),
  });
  draft.checkpoint("finalize", null);
  draft.index();
};

/** Stores an operation that raised: the run has failed with this error. */
export const failRun = (draft: Draft, raised: Pick<Raised, "detail">): void => {
  cancelRequests(draft);
  draft.emit({ type: "run_failed", error: raised.detail });
  stopListening(draft);
  draft.index();
};

/** Tells the mailbox that the stages of a run that is over no longer wait, and ends the workers that it waits for. */
export const stopListening = (draft: Draft): void => {
  for (const unit of draft.run.open)
    if (unit.work.type === "wait" && unit.settled === null) draft.unsubscribe(unit.stage_id);
  for (const workerId of awaitedWorkers(draft.run)) draft.closeWorker(workerId);
};

/** Follows the edges of a stage that was completed without a driver, and orders one. */
export const goOn = (draft: Draft): void => {
  const { untransitioned } = draft.run;
  if (untransitioned !== null) finishStage(draft, untransitioned);
  if (draft.run.status === "running") draft.drive();
};
