import type { Context } from "../machine.ts";
import type { WorkerCommand } from "./command.ts";
import { Draft, invalid, type WorkerDecision } from "./draft.ts";
import { digestedTranscript, withInput } from "./next-cycle.ts";
import { decideResume, inputProblem } from "./resume.ts";
import { withSessionIds } from "./session-ids.ts";
import type { Worker, WorkerState, WorkerSuspension } from "./state.ts";
import { listen, newSuspension, registered } from "./suspend.ts";

type Restore = Extract<WorkerCommand, { readonly type: "restore" }>;

/** A worker of a snapshot where nothing runs any more: no run, no stage that waits, no children to end (spec/workers 12.4). */
const atRest = (worker: Worker): Worker => {
  const { parent_told: _told, request_digest: _digest, ...kept } = worker;
  return {
    ...kept,
    status: worker.status === "running" ? "interrupted" : worker.status,
    config: withSessionIds(worker.config, worker.id),
    run: null,
    parent: null,
    children: [],
    resume_at_ms: null,
  };
};

/** A suspension as it goes on in another place: at rest, its conditions registered anew, its time counted from where it began. */
const reparked = (suspension: WorkerSuspension, worker: Worker, draft: Draft): Worker => {
  const { context, at } = draft;
  const began = Date.parse(suspension.suspended_at);
  const { auto_resume_trigger, resume_at_ms } = registered(worker.id, suspension.conditions, {
    since: Number.isNaN(began) ? context.now : began,
    nextId: context.nextId,
  });
  return { ...worker, resume_at_ms, suspension: { ...suspension, auto_resume_trigger, quiesced_at: at } };
};

const restored = (draft: Draft, { worker: given, input, continue_transcript }: Restore): Worker => {
  const worker = atRest(given);
  if (worker.status === "suspended") {
    const unknown = { reason: "", initiator: "operator", conditions: null, at: draft.at } as const;
    return reparked(worker.suspension ?? newSuspension(worker, unknown), worker, draft);
  }
  const transcript = continue_transcript ? worker.transcript : digestedTranscript(worker);
  return withInput({ ...worker, transcript, suspension: null }, input);
};

/**
 * Takes over a worker as a snapshot shows it (spec/workers 12.4, 17.4). Nothing runs: a worker that was running is interrupted,
 * a suspended one stays suspended, its conditions registered again, until a resumption of its own. A worker that is there already
 * is resumed, or refuses.
 */
export const decideRestore = (state: WorkerState, command: Restore, context: Context): WorkerDecision => {
  const draft = new Draft(state, context);
  const { input, continue_transcript } = command;
  if (state !== null)
    return decideResume(draft, {
      type: "resume",
      input,
      continue_transcript,
      initiator: "operator",
      trigger_event: null,
    });
  const problem = inputProblem(input);
  if (problem !== null) return invalid(problem);
  const worker = restored(draft, command);
  draft.emit({ type: "worker_restored", worker });
  if (worker.suspension !== null) listen(draft, worker.suspension);
  return draft.decided();
};
