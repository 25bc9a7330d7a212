import { type Rejection, reject } from "../machine.ts";
import type { RecordTransitions } from "./command.ts";
import type { Draft } from "./draft.ts";
import type { TransitionsRecorded } from "./event.ts";
import type { Completion, FollowedEdge } from "./state.ts";

/** Appends a stage's transitions, queues their targets and takes a checkpoint (spec/workflow 4.7). */
export const recordTransitions = (
  draft: Draft,
  stage: Omit<Completion, "handed_in">,
  edges: readonly FollowedEdge[],
  ready?: readonly string[],
): void => {
  draft.emit({
    type: "transitions_recorded",
    stage_id: stage.stage_id,
    from_node_id: stage.node_id,
    edges: edges.map(({ to, branch }) => ({ to, branch })),
    transition_ids: edges.map(() => draft.recordId()),
    ...givenIds(draft, stage),
    ...(ready === undefined ? {} : { ready }),
  });
  draft.checkpoint("stage_complete", stage.stage_id);
};

const givenIds = (
  draft: Draft,
  { stage_id, consumed_artifact_ids, produced_artifact_ids }: Omit<Completion, "handed_in">,
): Pick<TransitionsRecorded, "given"> =>
  draft.run.untransitioned?.stage_id === stage_id ? {} : { given: { consumed_artifact_ids, produced_artifact_ids } };

/** Checks transitions that a caller without a queue of its own wants recorded: they must follow the stage completed last. */
export const checkTransitions = (draft: Draft, command: RecordTransitions): Rejection | null => {
  const { untransitioned, graph } = draft.run;
  if (untransitioned === null || untransitioned.stage_id !== command.stage.stage_id)
    return reject(
      "invalid_transition",
      untransitioned === null
        ? "no completed stage waits for its transitions: complete one first"
        : `the transitions of stage ${untransitioned.stage_id} are to be recorded, not of ${command.stage.stage_id}`,
    ).rejection;
  for (const [index, edge] of command.edges.entries()) {
    const known = graph.edges.some(
      (candidate) =>
        candidate.from === edge.from &&
        candidate.to === edge.to &&
        (candidate.branch ?? null) === (edge.branch ?? null),
    );
    if (!known || edge.from !== untransitioned.node_id)
      return reject("invalid_transition", `edges[${index}] is not an edge from node ${untransitioned.node_id}`, {
        path: `edges[${index}]`,
      }).rejection;
  }
  return null;
};
