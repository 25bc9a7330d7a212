import type {
  DispatchAttempt,
  EventEvent,
  EventRecord,
  EventState,
  EventStatus,
  Intake,
  ReplaySummary,
} from "./event.ts";

const FINAL: ReadonlySet<EventStatus> = new Set(["dispatched", "skipped", "failed", "cancelled", "dead_lettered"]);

/** How many replays an event remembers; they themselves are kept. */
const KEPT_REPLAYS = 100;

/** Whether a dispatch is over for good. */
export const isFinal = (state: EventState): boolean => state.status !== "absent" && FINAL.has(state.status);

const taken = (intake: Intake, status: EventStatus, at: string): EventRecord => ({
  status,
  event: intake.event,
  receipt: intake.receipt,
  binding: intake.binding,
  verdicts: intake.verdicts,
  is_admitted: false,
  attempts: [],
  next_at: intake.next_at,
  dispatch_id: null,
  run_id: null,
  result: null,
  error: null,
  batch: null,
  cancel: null,
  approval: null,
  dead_letter: null,
  replay: intake.replay,
  replays: [],
  replay_count: 0,
  updated_at: at,
  claim_expires_at: intake.claim_expires_at,
});

const changed = (
  attempts: readonly DispatchAttempt[],
  number: number,
  change: Partial<DispatchAttempt>,
): readonly DispatchAttempt[] => attempts.map((one) => (one.attempt === number ? { ...one, ...change } : one));

const withVerdicts = (record: EventRecord, more: EventRecord["verdicts"]): EventRecord["verdicts"] =>
  more.length === 0 ? record.verdicts : [...record.verdicts, ...more];

const withReplay = (record: EventRecord, number: number, change: Partial<ReplaySummary>): EventRecord => ({
  ...record,
  replays: record.replays.map((one) => (one.number === number ? { ...one, ...change } : one)),
});

type Of<T extends EventEvent["type"]> = Extract<EventEvent, { readonly type: T }>;

const held = (
  record: EventRecord,
  event: Of<"admitted" | "parked" | "deferred" | "approval_requested" | "skipped">,
): EventRecord => {
  const verdicts = withVerdicts(record, event.verdicts);
  switch (event.type) {
    case "admitted":
      return {
        ...record,
        status: "accepted",
        is_admitted: true,
        verdicts,
        batch: event.batch,
        next_at: null,
        result: null,
      };
    case "parked":
      return { ...record, status: "parked", verdicts, next_at: event.next_at };
    case "deferred":
      return { ...record, status: "deferred", verdicts, next_at: event.next_at, result: event.result };
    case "approval_requested":
      return { ...record, status: "waiting", verdicts, next_at: null, approval: event.approval, result: event.result };
    case "skipped":
      return { ...record, status: "skipped", verdicts, next_at: null, result: event.result };
  }
};

const attempted = (
  record: EventRecord,
  event: Of<"dispatch_started" | "run_started" | "attempt_ended">,
): EventRecord => {
  const { at } = event;
  switch (event.type) {
    case "dispatch_started": {
      const { attempt, dispatch_id, run_id } = event;
      const begun = {
        attempt,
        started_at: at,
        settled_at: null,
        outcome: null,
        error: null,
        run_id,
        is_running: false,
      };
      const attempts = [...record.attempts, begun];
      return { ...record, status: "dispatching", attempts, next_at: event.lease_until, dispatch_id, run_id };
    }
    case "run_started":
      return { ...record, attempts: changed(record.attempts, event.attempt, { is_running: true }), next_at: null };
    case "attempt_ended": {
      const { attempt, outcome, error } = event.end;
      return { ...record, attempts: changed(record.attempts, attempt, { settled_at: at, outcome, error }) };
    }
  }
};

const whileOpen = (record: EventRecord, event: EventEvent): EventRecord => {
  switch (event.type) {
    case "admitted":
    case "parked":
    case "deferred":
    case "approval_requested":
    case "skipped":
      return held(record, event);
    case "dispatch_started":
    case "run_started":
    case "attempt_ended":
      return attempted(record, event);
    case "approval_decided":
      // Its request stays to be seen; what the person decided lets it go on.
      return {
        ...record,
        status: "accepted",
        approval: record.approval && { ...record.approval, decision: event.decision },
      };
    case "dispatched":
      return { ...record, status: "dispatched", next_at: null, error: null, result: event.result };
    case "retry_scheduled":
      return { ...record, status: "retrying", next_at: event.next_at, error: event.error };
    case "dispatch_failed":
      return { ...record, status: "failed", next_at: null, error: event.error };
    case "cancel_requested":
      return { ...record, cancel: event.cancel };
    case "cancelled":
      return { ...record, status: "cancelled", next_at: null, error: { code: "cancelled", detail: event.error } };
    case "dead_lettered": {
      const { dead_letter } = event;
      const error = { code: dead_letter.error_class, detail: dead_letter.error };
      return { ...record, status: "dead_lettered", next_at: null, error, dead_letter };
    }
    default:
      return record;
  }
};

/** Folds an event into the record of a dedupe key. A dispatch that is over stays over; its replays and dead letter go on. */
export const evolve = (state: EventState, event: EventEvent): EventState => {
  if (event.type === "accepted" || event.type === "intake_skipped") {
    if (state.status !== "absent") return state;
    const { type, at, ...intake } = event;
    return taken(intake, type === "accepted" ? "accepted" : "skipped", at);
  }
  if (state.status === "absent") return state;
  const record = { ...state, updated_at: event.at };
  switch (event.type) {
    case "dead_letter_changed":
      return { ...record, dead_letter: event.dead_letter };
    case "replay_noted": {
      const { summary } = event;
      const replays = [...record.replays, summary].slice(-KEPT_REPLAYS);
      return { ...record, replays, replay_count: Math.max(record.replay_count, summary.number) };
    }
    case "replay_ended":
      return withReplay(record, event.number, { status: event.status, settled_at: event.at, run_id: event.run_id });
    default:
      return isFinal(state) ? state : whileOpen(record, event);
  }
};
