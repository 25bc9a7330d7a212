import type { Json, JsonObject } from "../../lib/json.ts";
import type { WorkerCommand } from "./command.ts";
import { speechOf, textOfInput, TIMEOUT_KIND } from "./continuity.ts";
import { type Draft, invalid, refused, type WorkerDecision } from "./draft.ts";
import type { WorkerResumed } from "./event.ts";
import type { HeardEvent, ResumeInitiator, Worker } from "./state.ts";
import { settledStatus } from "./cycle.ts";
import { owedListeners } from "./listeners.ts";
import { orderListeners } from "./suspend.ts";
import { lacksRun } from "./status.ts";
import { digestOf } from "./transcript-carry.ts";

type Resume = Extract<WorkerCommand, { readonly type: "resume" }>;

const BLANK_INPUT = "resume_agent: resume input must be nil or non-empty text";

/** Why an input of a resumption or restoration is none; null where it can be taken (spec/workers 17.5). */
export const inputProblem = (input: Json): string | null => (textOfInput(input)?.trim() === "" ? BLANK_INPUT : null);

const isAutomatic = (initiator: ResumeInitiator): boolean => initiator === "triggered" || initiator === "timeout";

/** Who resumed: an event that woke the worker says so unless a person or parent did (spec/workers 17.6). */
const initiatorOf = ({ initiator, trigger_event }: Resume): ResumeInitiator => {
  const isNamed = initiator === "timeout" || initiator === "parent" || initiator === "operator";
  return trigger_event === null || isNamed ? initiator : "triggered";
};

/** Whether somebody else was faster: what the caller saw, or was sent by, is another suspension than the present one. */
const isOvertaken = ({ suspension, status }: Worker, command: Resume): boolean => {
  if (status !== "suspended") return isAutomatic(command.initiator) || command.suspended_at !== undefined;
  return command.suspended_at !== undefined && command.suspended_at !== suspension?.suspended_at;
};

/** Why a worker cannot be resumed, in the order of spec/workers 17.4 and 17.5; null where it can. */
const refusalOf = (worker: Worker, command: Resume): WorkerDecision | null => {
  const { id, status, suspension } = worker;
  if (isOvertaken(worker, command))
    return refused(`resume_agent: worker ${id} changed before resume could complete (status=${status})`);
  if (status === "cancelled") return refused(`resume_agent: worker ${id} was closed and cannot be resumed`);
  if (status !== "suspended")
    return refused(`HARN-SUS-003: resume_agent: worker ${id} is not suspended (status=${status})`);
  if (suspension?.quiesced_at == null)
    return refused(`resume_agent: worker ${id} has not reached its suspend checkpoint yet`);
  const problem = inputProblem(command.input);
  return problem === null ? null : invalid(problem);
};

/** How a suspended worker goes on: with what its run came to, with the run itself, or with a new one (spec/workers 17.5). */
const wayOn = ({ run }: Worker, input: Json): WorkerResumed["on"] => {
  if (run?.ended !== undefined && input === null) return "result";
  return run?.paused === true ? "run" : "cycle";
};

const settleCaptured = (draft: Draft, before: Worker): void => {
  const ended = before.run?.ended ?? "completed";
  const status = ended === "completed" ? settledStatus(before) : ended;
  draft.emit({ type: "cycle_settled", status, error: before.latest_error, outcome: null });
};

const goOn = (draft: Draft, resumption: Omit<WorkerResumed, "type" | "at" | "on">): void => {
  const before = draft.worker;
  const on = wayOn(before, resumption.input);
  draft.unlisten();
  draft.emit({ type: "worker_resumed", ...resumption, on });
  const { cycle, run } = draft.worker;
  if (on === "result") settleCaptured(draft, before);
  else if (on === "cycle" || run === null) draft.start();
  else {
    const speech = speechOf(before, resumption);
    const order = { type: "resume_run", cycle, run_id: run.run_id, speech } as const;
    draft.effects.push(resumption.continue_transcript ? order : { ...order, digest: digestOf(before.transcript) });
  }
};

/** Wakes a worker that has come to rest with an event: its payload becomes the task (spec/workers 18.3). */
export const resumeBy = (draft: Draft, { input, trigger_event }: HeardEvent): void =>
  goOn(draft, { input, continue_transcript: true, initiator: "triggered", trigger_event });

/** Wakes a suspended worker; of several that try, the first one does (spec/workers 17.5). */
export const decideResume = (draft: Draft, command: Resume): WorkerDecision => {
  const refusal = refusalOf(draft.worker, command);
  if (refusal !== null) return refusal;
  const { input, continue_transcript, trigger_event } = command;
  goOn(draft, { input, continue_transcript, initiator: initiatorOf(command), trigger_event });
  return draft.decided();
};

/** The event that the end of a suspension's time is (spec/workers 18.2). */
const timeoutEvent = (draft: Draft, raw: JsonObject): JsonObject => ({
  id: draft.context.nextId("event"),
  provider: "harn",
  kind: TIMEOUT_KIND,
  dedupe_key: `auto_resume_timeout:${String(raw["trigger_id"] ?? "")}:${draft.context.nextId("")}`,
  raw,
});

const expire = (draft: Draft): void => {
  draft.unlisten();
  draft.cancelRun("auto-resume timeout expired");
  draft.emit({ type: "suspension_expired" });
};

/**
 * The alarm (spec/workers 18.3; 32.9): acts only on a deadline that is stored and over. A worker whose run has not come to rest
 * is woken when it has.
 */
export const decideWake = (draft: Draft): WorkerDecision => {
  const { id, status, suspension, heard, resume_at_ms: due } = draft.worker;
  if (lacksRun(draft.worker)) draft.start();
  orderListeners(draft);
  if (heard !== undefined && draft.worker.suspension?.quiesced_at != null) {
    resumeBy(draft, heard);
    return draft.decided();
  }
  const onTimeout = suspension?.conditions?.timeout?.on_timeout;
  if (status !== "suspended" || due === null || due > draft.context.now || onTimeout === undefined)
    return draft.decided();
  if (onTimeout === "fail") expire(draft);
  else if (suspension?.quiesced_at != null) {
    const raw = {
      type: TIMEOUT_KIND,
      worker_id: id,
      trigger_id: suspension.auto_resume_trigger?.id ?? null,
      on_timeout: onTimeout,
    };
    const trigger_event = timeoutEvent(draft, raw);
    const isSummary = onTimeout === "resume_with_summary";
    const told = isSummary
      ? { input: null, continue_transcript: false, initiator: "timeout" as const }
      : { input: raw, continue_transcript: true, initiator: "triggered" as const };
    goOn(draft, { ...told, trigger_event });
  }
  return draft.decided();
};

/** How long the run of a cycle may take to be known before it is ordered again. */
const START_WATCH_MS = 5_000;

/** How long setting up what wakes a worker, or taking it away, may take before it is ordered again. */
const LISTEN_WATCH_MS = 30_000;

const suspendedWake = ({ status, suspension, heard, resume_at_ms: due }: Worker, now: number): number | null => {
  if (status !== "suspended") return null;
  if (heard !== undefined && suspension?.quiesced_at != null) return now;
  if (due === null) return null;
  const waits = suspension?.quiesced_at == null && suspension?.conditions?.timeout?.on_timeout !== "fail";
  return waits ? null : Math.max(due, now);
};

const ownWake = (worker: Worker, now: number): number | null => {
  const due = suspendedWake(worker, now);
  return lacksRun(worker) ? Math.min(now + START_WATCH_MS, due ?? Infinity) : due;
};

/**
 * When a worker wants to be woken: a running one whose run is not known yet, to order it again; a suspended one at its time, never
 * before its run has come to rest, unless that is a failure; any one while what listens for it is not as it should be.
 */
export const nextWorkerWake = (worker: Worker | null, now: number): number | null => {
  if (worker === null) return null;
  const own = ownWake(worker, now);
  const owes = owedListeners(worker).length > 0;
  return owes ? Math.min(own ?? Infinity, now + LISTEN_WATCH_MS) : own;
};
