import { rfc3339 } from "../../lib/time.ts";
import type { StoredDefinition } from "../../schema/trigger-definition.ts";
import type { TriggerEvent } from "../../schema/trigger.ts";
import type { Context } from "../machine.ts";
import type { EventDecision } from "./decided.ts";
import type {
  AcceptEvent,
  AcceptReplay,
  EventEffect,
  EventEvent,
  EventRecord,
  EventReply,
  EventState,
} from "./event.ts";
import { evolve } from "./evolve.ts";
import { matchVerdict, type Verdict } from "./match.ts";
import { filterVerdict } from "./predicate/expressions.ts";

const DAY_MS = 86_400_000;
const CRON_RETENTION_DAYS = 7;

const receiptOf = (record: EventRecord, duplicate: boolean): EventReply => {
  const { event, receipt, status } = record;
  return { type: "receipt", event_id: event.id, receipt, duplicate, status };
};

const taken = (event: EventEvent, effects: readonly EventEffect[]): EventDecision => {
  const state = evolve({ status: "absent" }, event);
  if (state.status === "absent") throw new Error(`an event cannot begin with ${event.type}`);
  return { ok: true, events: [event], effects, reply: receiptOf(state, false), state };
};

const envelope = (command: AcceptEvent, context: Context): TriggerEvent => ({
  id: command.event_id ?? context.nextId("trigger_evt"),
  ...command.event,
  received_at: rfc3339(context.now),
  trace_id: command.trace_id ?? context.nextId("trace"),
  tenant_id: command.tenant_id,
  ...(command.raw_body === undefined ? {} : { raw_body: command.raw_body }),
  ...(command.raw_body_ref === undefined ? {} : { raw_body_ref: command.raw_body_ref }),
});

/** For how many days a dedupe key is claimed; without an answer for ever (spec/triggers 5.2, 18). */
const retentionDays = (definition: StoredDefinition): number | undefined => {
  const { provider, retention_days, retry, dedupe } = definition;
  const days = retry?.retention_days ?? dedupe.retention_days;
  return provider === "cron" ? (retention_days ?? days ?? CRON_RETENTION_DAYS) : days;
};

/** The claim lasts as long as the binding says, and never less than the token that authorised the delivery. */
const claimEnd = ({ binding, claim_ttl_ms = 0 }: AcceptEvent, now: Context["now"]): string | null => {
  const days = retentionDays(binding.definition);
  return days === undefined ? null : rfc3339(now + Math.max(days * DAY_MS, claim_ttl_ms));
};

const dedupeVerdict = ({ dedupe_problem: reason }: AcceptEvent): readonly Verdict[] =>
  reason === undefined ? [] : [{ stage: "dedupe", outcome: "passed", reason }];

const intakeVerdicts = (
  { match, filter, compatibility }: StoredDefinition,
  event: TriggerEvent,
): readonly Verdict[] => {
  // The original enforces neither (spec/triggers 5.5).
  if (compatibility === "harn") return [{ stage: "match", outcome: "passed", reason: "kinds are not enforced" }];
  const matched = matchVerdict(match, event);
  if (matched.outcome !== "passed" || filter === undefined) return [matched];
  return [matched, filterVerdict(filter, event)];
};

/** Takes in a delivery; every later one of the same key gets the first one's receipt (spec/triggers 7.2). */
export const accept = (state: EventState, command: AcceptEvent, context: Context): EventDecision => {
  if (state.status !== "absent") return { ok: true, events: [], effects: [], reply: receiptOf(state, true), state };
  const { binding } = command;
  const event = envelope(command, context);
  const verdicts = [...dedupeVerdict(command), ...intakeVerdicts(binding.definition, event)];
  const passed = verdicts.every(({ outcome }) => outcome === "passed");
  const intake = {
    at: rfc3339(context.now),
    event,
    receipt: context.nextId("receipt"),
    binding,
    verdicts,
    claim_expires_at: claimEnd(command, context.now),
    replay: null,
    next_at: null,
  };
  return passed
    ? taken({ type: "accepted", ...intake }, [{ type: "enqueue_dispatch", at_ms: context.now }])
    : taken({ type: "intake_skipped", ...intake }, []);
};

/** Makes a replay: the same event with the same ids, under a version of its own and with runs of its own (spec/triggers 23). */
export const acceptReplay = (state: EventState, command: AcceptReplay, context: Context): EventDecision => {
  if (state.status !== "absent") return { ok: true, events: [], effects: [], reply: receiptOf(state, true), state };
  const { event, binding, replay, not_before } = command;
  const at_ms = Math.max(not_before ?? context.now, context.now);
  return taken(
    {
      type: "accepted",
      at: rfc3339(context.now),
      event,
      receipt: context.nextId("receipt"),
      binding,
      verdicts: [],
      claim_expires_at: null,
      replay,
      next_at: at_ms > context.now ? rfc3339(at_ms) : null,
    },
    [{ type: "enqueue_dispatch", at_ms }],
  );
};
