import { wants } from "../../src/engine/worker/webhook.ts";
import { rfc3339 } from "../../src/lib/time.ts";
import { allUpdates, type WorkerShell } from "./worker-updates.ts";

/** What became of sending one event of a worker. */
export interface WebhookDelivery {
  readonly id: string;
  readonly seq: number;
  readonly event: string;
  readonly at: string;
  readonly state: "pending" | "delivered" | "abandoned";
  readonly attempts: number;
  readonly last_error: string | null;
  readonly delivered_at: string | null;
  readonly next_attempt_at: string | null;
}

type Sent = Pick<WebhookDelivery, "state" | "attempts" | "last_error" | "delivered_at">;

const NOTHING: Sent = { state: "pending", attempts: 0, last_error: null, delivered_at: null };

/** What the reports in the journal say of each event, by `seq`. */
const sentOf = (shell: Pick<WorkerShell, "entries">): ReadonlyMap<number, Sent> => {
  const found = new Map<number, Sent>();
  let settled = 0;
  for (const { events } of shell.entries())
    for (const event of events) {
      if (event.type !== "webhook_reported") continue;
      const { delivered, failure, at } = event;
      for (let seq = settled + 1; seq <= delivered; seq += 1) {
        const before = found.get(seq) ?? NOTHING;
        found.set(seq, { ...before, state: "delivered", attempts: before.attempts + 1, delivered_at: at });
      }
      for (let seq = delivered + 1; seq <= event.settled; seq += 1)
        found.set(seq, { ...(found.get(seq) ?? NOTHING), state: "abandoned", last_error: failure?.error ?? null });
      if (failure !== null) {
        const failed = found.get(delivered + 1) ?? NOTHING;
        found.set(delivered + 1, { ...failed, attempts: failed.attempts + 1, last_error: failure.error });
      }
      settled = event.settled;
    }
  return found;
};

/** The newest deliveries of a worker's webhook, oldest first; none for a worker without one. */
export const webhookDeliveries = (
  shell: Pick<WorkerShell, "entries" | "state">,
  limit: number,
): readonly WebhookDelivery[] => {
  const webhook = shell.state?.webhook;
  if (webhook === undefined) return [];
  const sent = sentOf(shell);
  const next = webhook.next_at_ms === null ? null : rfc3339(webhook.next_at_ms);
  const wanted = allUpdates(shell).filter(({ event }) => wants(webhook, event));
  return wanted.slice(-limit).map(({ seq, event, at, worker_id }) => {
    const one = sent.get(seq) ?? NOTHING;
    return {
      id: `${worker_id}.${seq}`,
      seq,
      event,
      at,
      ...one,
      next_attempt_at: one.state === "pending" ? next : null,
    };
  });
};
