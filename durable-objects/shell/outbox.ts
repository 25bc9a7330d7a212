import type { Store } from "../storage/store.ts";

/** An effect that is committed and not known to be performed. */
export interface OutboxEntry<Effect> {
  readonly id: string;
  readonly effect: Effect;
  readonly attempts: number;
}

/** The outbox; most objects never need one, so that it is made with the first effect. */
export const OUTBOX_TABLE =
  "CREATE TABLE IF NOT EXISTS outbox (id TEXT PRIMARY KEY, effect TEXT NOT NULL, attempts INTEGER NOT NULL, next_at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID";

const hasOutbox = (store: Store): boolean =>
  store.query("SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'outbox'").length > 0;

const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 300_000;

/** When an effect that has failed `attempts` times is tried again: doubled each time, at most five minutes. */
export const retryDelay = (attempts: number): number => Math.min(FIRST_RETRY_MS * 2 ** attempts, MAX_RETRY_MS);

/** Puts an effect into the outbox; its id is a function of where it was decided (I4). Returns the rows written. */
export const enqueueEffect = <Effect>(store: Store, id: string, effect: Effect, now: number): number =>
  store.write(OUTBOX_TABLE) +
  store.write(
    "INSERT INTO outbox (id, effect, attempts, next_at_ms) VALUES (?, ?, 0, ?)",
    id,
    JSON.stringify(effect),
    now,
  );

/** Effects that are due, oldest id first. */
export const dueEffects = <Effect>(store: Store, now: number, limit = 100): readonly OutboxEntry<Effect>[] => {
  if (!hasOutbox(store)) return [];
  return store
    .query("SELECT id, effect, attempts FROM outbox WHERE next_at_ms <= ? ORDER BY next_at_ms, id LIMIT ?", now, limit)
    .map((row) => ({
      id: String(row["id"]),
      effect: JSON.parse(String(row["effect"])) as Effect,
      attempts: Number(row["attempts"]),
    }));
};

/** Puts off an effect that could not be performed; it keeps its id. */
export const postponeEffect = (store: Store, entry: OutboxEntry<unknown>, now: number): void => {
  store.write(
    "UPDATE outbox SET attempts = attempts + 1, next_at_ms = ? WHERE id = ?",
    now + retryDelay(entry.attempts),
    entry.id,
  );
};

/** Forgets an effect that was performed. */
export const settleEffect = (store: Store, id: string): void => {
  store.write("DELETE FROM outbox WHERE id = ?", id);
};

/** When the next effect is due, or null when the outbox is empty. */
export const nextEffectAt = (store: Store): number | null => {
  if (!hasOutbox(store)) return null;
  const next = store.query("SELECT min(next_at_ms) AS next FROM outbox")[0]?.["next"];
  return typeof next === "number" ? next : null;
};
