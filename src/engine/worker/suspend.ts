import type { WorkerCommand } from "./command.ts";
import { type Draft, refused, type WorkerDecision } from "./draft.ts";
import { owedListeners } from "./listeners.ts";
import { pipelineLink, suspensionLink } from "./spans.ts";
import type { ResumeConditions, SuspendInitiator, Worker, WorkerSuspension } from "./state.ts";

type Suspend = Extract<WorkerCommand, { readonly type: "suspend" }>;

const MINUTE_MS = 60_000;
const FIRST_VERSION = 1;

/** How much of a worker's id is in that of its trigger, which has a limit of its own. */
const MAX_NAMED = 78;

/** What becomes of conditions when they are registered: the trigger they need, and when their time is over. */
export interface Registration {
  readonly auto_resume_trigger: WorkerSuspension["auto_resume_trigger"];
  readonly resume_at_ms: number | null;
}

/** Conditions as they are registered: an event or a trigger is listened for, a timeout needs neither (spec/workers 18.2; 30, 5). */
export const registered = (
  workerId: string,
  conditions: ResumeConditions | null,
  { since, nextId }: { readonly since: number; readonly nextId: (prefix: string) => string },
): Registration => {
  const listens = conditions?.trigger !== undefined || conditions?.on_event !== undefined;
  const prefix = `auto_resume_${workerId.replaceAll(/[^A-Za-z0-9_-]/gu, "_").slice(0, MAX_NAMED)}`;
  const minutes = conditions?.timeout?.duration_minutes;
  return {
    auto_resume_trigger: listens ? { id: nextId(prefix), version: FIRST_VERSION } : null,
    resume_at_ms: minutes === undefined ? null : since + minutes * MINUTE_MS,
  };
};

/** Orders the trigger of a suspension, if it has one. */
export const listen = (draft: Draft, { conditions, auto_resume_trigger: trigger }: WorkerSuspension): void => {
  if (trigger !== null) draft.effects.push({ type: "listen", trigger_id: trigger.id, conditions: conditions ?? {} });
};

/** Orders again what is not known to listen, or to have left (W4). */
export const orderListeners = (draft: Draft): void => {
  for (const { id: trigger_id, state, conditions } of owedListeners(draft.worker))
    draft.effects.push({ type: state === "leaving" ? "unlisten" : "listen", trigger_id, conditions });
};

/** A suspension as it begins (spec/workers 17.1). */
export const newSuspension = (
  worker: Pick<Worker, "id" | "snapshot_path" | "parent">,
  asked: {
    readonly reason: string;
    readonly initiator: SuspendInitiator;
    readonly conditions: ResumeConditions | null;
    readonly at: string;
  },
): WorkerSuspension => ({
  reason: asked.reason,
  initiator: asked.initiator,
  suspended_at: asked.at,
  snapshot_ref: worker.snapshot_path,
  prior_span_link: suspensionLink(worker, asked.at),
  pipeline_span_link: pipelineLink(worker),
  suspended_at_turn: null,
  conditions: asked.conditions,
  auto_resume_trigger: null,
  quiesced_at: null,
});

/** Suspends a worker, and registers what wakes it, in one commit (spec/workers 17.2; 32.5). */
export const park = (draft: Draft, { reason, initiator, conditions }: Omit<Suspend, "type" | "panic">): void => {
  const { worker, context, at } = draft;
  const { resume_at_ms, auto_resume_trigger } = registered(worker.id, conditions, {
    since: context.now,
    nextId: context.nextId,
  });
  const begun = newSuspension(worker, { reason, initiator, conditions, at });
  const suspension = { ...begun, auto_resume_trigger };
  draft.emit({ type: "worker_suspended", suspension, resume_at_ms });
  listen(draft, suspension);
};

const suspend = (draft: Draft, asked: Omit<Suspend, "type" | "panic">): void => {
  const { run, cycle } = draft.worker;
  park(draft, asked);
  if (run !== null) draft.effects.push({ type: "pause_run", cycle, run_id: run.run_id });
};

/** The broadcast: it never fails, registers nothing and overwrites no reason (spec/workers 17.3). */
const panic = (draft: Draft, reason: string): WorkerDecision => {
  const { status } = draft.worker;
  if (status === "suspended") return draft.decided("already_suspended");
  if (status !== "running") return draft.decided("not_running");
  suspend(draft, { reason, initiator: "triggered", conditions: null });
  return draft.decided("suspended");
};

/** Parks a running worker; a worker that is suspended already stays as it is (spec/workers 17.2). */
export const decideSuspend = (draft: Draft, command: Suspend): WorkerDecision => {
  if (command.panic === true) return panic(draft, command.reason);
  const { id, status } = draft.worker;
  if (status === "suspended") return draft.decided();
  if (status !== "running")
    return refused(`HARN-SUS-001: suspend_agent: worker ${id} is not running (status=${status})`);
  suspend(draft, command);
  return draft.decided();
};
