import type { WebhookTarget } from "../../src/engine/worker/webhook.ts";
import { wants } from "../../src/engine/worker/webhook.ts";
import type { WorkerState } from "../../src/engine/worker/state.ts";
import type { PlacedUpdate } from "../../src/engine/worker/updates.ts";
import { allUpdates, type WorkerShell } from "../projections/worker-updates.ts";

/** Events that are to be sent, to whoever took them. */
export interface TakenWebhook {
  readonly target: WebhookTarget | "tenant";
  readonly items: readonly PlacedUpdate[];
  /** `seq` before the first of them, and of the last. */
  readonly from: number;
  readonly through: number;
}

const BATCH = 10;

/** Each event may take ten seconds. */
const LEASE_MS = 130_000;

/** When a hint is given again that nobody followed. */
const HINT_MS = 60_000;

/** A hint is given with the commit; the alarm is there for those that were lost. */
const ALARM_AFTER_MS = 30_000;

/** Sees to it that somebody sends what a worker's webhook is owed, one sender at a time. What it remembers may be lost. */
export class WebhookWatch {
  #restsUntil = 0;
  #takenUntil = 0;

  /** When the alarm has to look after it; null while nothing is pending. */
  wakeAt(state: WorkerState, now: number): number | null {
    const at = state?.webhook?.next_at_ms ?? null;
    if (at === null) return null;
    const since = state?.webhook?.attempts === 0 ? at + ALARM_AFTER_MS : at;
    return Math.max(since, this.#restsUntil, this.#takenUntil, now);
  }

  /** Whether a hint is to be given now; then it is not for a while. */
  mayHint(state: WorkerState, now: number): boolean {
    const at = state?.webhook?.next_at_ms ?? null;
    if (at === null || at > now || this.#restsUntil > now || this.#takenUntil > now) return false;
    this.#restsUntil = now + HINT_MS;
    return true;
  }

  /** The next events that are to be sent, for one sender; null where there are none now. */
  take(shell: Pick<WorkerShell, "entries" | "state">, now: number): TakenWebhook | null {
    const webhook = shell.state?.webhook;
    if (webhook?.next_at_ms == null || webhook.next_at_ms > now || this.#takenUntil > now) return null;
    this.#takenUntil = now + LEASE_MS;
    const pending = allUpdates(shell).filter(({ seq, event }) => seq > webhook.settled && wants(webhook, event));
    const items = pending.slice(0, BATCH);
    const isAll = items.length === pending.length;
    const through = isAll ? webhook.emitted : (items.at(-1)?.seq ?? webhook.settled);
    return { target: webhook.target, items, from: webhook.settled, through };
  }

  /** The sender has reported. */
  release(): void {
    this.#takenUntil = 0;
    this.#restsUntil = 0;
  }
}
