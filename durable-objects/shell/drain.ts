import type { Store } from "../storage/store.ts";
import { dueEffects, postponeEffect, settleEffect } from "./outbox.ts";

/** Performs one effect; its id is the idempotency key for whatever it calls (I4). Throws when the world misbehaved. */
export type Perform<Effect> = (effect: Effect, id: string) => Promise<void>;

/**
 * Performs what is due in an outbox, one effect after the other. Never throws: a failure is postponed with backoff.
 */
export const drainOutbox = async <Effect>(
  store: Store,
  perform: Perform<Effect>,
  now: () => number,
  report: (error: unknown) => void,
): Promise<void> => {
  for (;;) {
    const due = dueEffects<Effect>(store, now());
    if (due.length === 0) return;
    for (const entry of due) {
      try {
        await perform(entry.effect, entry.id);
        settleEffect(store, entry.id);
      } catch (error) {
        report(error);
        postponeEffect(store, entry, now());
      }
    }
  }
};
