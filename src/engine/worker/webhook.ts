// Outgoing webhooks of a worker (spec/workers 13.3): its public events in order, each at least once.
//
// V1 The worker says how far its receiver has come; what is to be sent follows from the journal.
// V2 One report settles what was sent, in order. A report about what was settled meanwhile changes nothing.
// V3 After a failure the rest waits; what is pending is given up when the failures have lasted twelve hours.

import { delayAfter, type Retry } from "../trigger/retry.ts";
import type { WorkerCommand } from "./command.ts";
import type { Draft, WorkerDecision } from "./draft.ts";
import type { WebhookReported, WorkerEvent } from "./event.ts";
import type { Worker, WorkerState } from "./state.ts";
import { updateNames, type WorkerEventName } from "./updates.ts";

/** Where a worker of its own sends its events; `{{secret.NAME}}` in it is filled in when they are sent. */
export interface WebhookTarget {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Name of the deployment's secret that signs; null for none. */
  readonly secret_ref: string | null;
}

/** What a worker is given of a webhook when it is made. */
export interface WebhookOrder {
  /** `tenant`: wherever the tenant sends those of its workers. */
  readonly target: WebhookTarget | "tenant";
  /** Only these events; null for all. */
  readonly events: readonly WorkerEventName[] | null;
}

/** How far the receiver of a worker's events has come. */
export interface WorkerWebhook extends WebhookOrder {
  /** How many public events there are, wanted or not. */
  readonly emitted: number;
  /** `seq` of the newest that is wanted. */
  readonly newest: number;
  /** `seq` up to which nothing is to be sent any more. */
  readonly settled: number;
  /** Failures since something was delivered. */
  readonly attempts: number;
  readonly failing_since_ms: number | null;
  /** When the next attempt is due; null while nothing is pending. */
  readonly next_at_ms: number | null;
}

const GIVE_UP_MS = 12 * 3_600_000;

const RETRY: Retry = {
  max_attempts: Number.MAX_SAFE_INTEGER,
  policy: { kind: "exponential", base_ms: 5_000, cap_ms: 3_600_000 },
  jitter: 0.2,
};

/** A webhook of which nothing was sent. */
export const newWebhook = (order: WebhookOrder): WorkerWebhook => ({
  ...order,
  emitted: 0,
  newest: 0,
  settled: 0,
  attempts: 0,
  failing_since_ms: null,
  next_at_ms: null,
});

/** Whether a webhook wants an event. */
export const wants = ({ events }: WebhookOrder, name: WorkerEventName): boolean =>
  events === null || events.includes(name);

/** The worker with the public events of what happened counted for its webhook. */
export const withEmitted = (after: WorkerState, event: WorkerEvent, before: WorkerState): WorkerState => {
  if (after?.webhook === undefined) return after;
  const names = updateNames(event, before);
  if (names.length === 0) return after;
  const { webhook } = after;
  const emitted = webhook.emitted + names.length;
  const last = names.findLastIndex((name) => wants(webhook, name));
  const newest = last < 0 ? webhook.newest : webhook.emitted + last + 1;
  const next_at_ms = webhook.next_at_ms ?? (newest > webhook.settled ? Date.parse(event.at) : null);
  return { ...after, webhook: { ...webhook, emitted, newest, next_at_ms } };
};

/** The worker after a report of what was sent. */
export const webhookReported = (worker: Worker, { at, settled, failure }: WebhookReported): Worker => {
  const { webhook } = worker;
  if (webhook === undefined) return worker;
  const isPending = webhook.newest > settled;
  const retryAt = failure?.retry_at_ms ?? null;
  const failing = retryAt !== null && failure !== null;
  return {
    ...worker,
    webhook: {
      ...webhook,
      settled,
      attempts: failing ? failure.attempts : 0,
      failing_since_ms: failing ? failure.since_ms : null,
      next_at_ms: isPending ? (retryAt ?? Date.parse(at)) : null,
    },
  };
};

type Report = Extract<WorkerCommand, { readonly type: "report_webhook" }>;

/** Settles what was delivered, and puts off or gives up the rest after a failure. */
export const decideWebhook = (draft: Draft, { from, delivered, error, hopeless }: Report): WorkerDecision => {
  const { webhook, id } = draft.worker;
  const isStale = webhook === undefined || from !== webhook.settled || delivered < from || delivered > webhook.emitted;
  if (isStale || (error === null && delivered === from)) return draft.decided();
  if (error === null) {
    draft.emit({ type: "webhook_reported", delivered, settled: delivered, failure: null });
    return draft.decided();
  }
  const { now } = draft.context;
  const isNew = delivered > from || webhook.failing_since_ms === null;
  const since_ms = isNew ? now : (webhook.failing_since_ms ?? now);
  const attempts = isNew ? 1 : webhook.attempts + 1;
  const givesUp = hopeless === true || now - since_ms >= GIVE_UP_MS;
  const retry_at_ms = givesUp ? null : now + (delayAfter(RETRY, attempts, `${id}.${delivered + 1}`) ?? 0);
  const failure = { error, attempts, since_ms, retry_at_ms };
  draft.emit({ type: "webhook_reported", delivered, settled: givesUp ? webhook.emitted : delivered, failure });
  return draft.decided();
};
