import type { Store } from "../storage/store.ts";

/** A message is sent again after this long, then after twice as long each time, at most every five minutes. */
export const RESEND_MS = 5_000;
const MAX_RESEND_MS = 300_000;

const BATCH = 100;

/**
 * Keeps a message until it is settled: unlike an effect that is done once it is performed, sending it proves nothing,
 * because queues may lose it. One row. A message of the same id is replaced.
 */
export const holdMessage = (store: Store, id: string, message: unknown, nextAt: number): number =>
  store.write(
    "INSERT INTO outbox (id, effect, attempts, next_at_ms) VALUES (?, ?, 0, ?) ON CONFLICT (id) DO UPDATE SET effect = excluded.effect, attempts = 0, next_at_ms = excluded.next_at_ms",
    id,
    JSON.stringify(message),
    nextAt,
  );

/** What a message says itself: it is sent again no more often than this. */
interface Watched {
  readonly every_ms?: number | undefined;
}

/** Messages that are due, at most `limit`; each is put off before it is sent, so a crash repeats it. */
export const takeDueMessages = <Message>(store: Store, now: number, limit = BATCH): readonly Message[] => {
  const due = store.query(
    "SELECT id, effect, attempts FROM outbox WHERE next_at_ms <= ? ORDER BY next_at_ms, id LIMIT ?",
    now,
    limit,
  );
  return due.map((row) => {
    const message = JSON.parse(String(row["effect"])) as Message & Watched;
    const ladder = Math.min(RESEND_MS * 2 ** (Number(row["attempts"]) + 1), MAX_RESEND_MS);
    const wait = Math.max(ladder, message.every_ms ?? 0);
    store.write(
      "UPDATE outbox SET attempts = attempts + 1, next_at_ms = ? WHERE id = ?",
      now + wait,
      row["id"] ?? null,
    );
    return message;
  });
};

/** Every message that is held, in batches; nothing is put off. */
export const heldMessages = function* <Message>(store: Store): Generator<readonly Message[]> {
  for (let after = ""; ;) {
    const rows = store.query("SELECT id, effect FROM outbox WHERE id > ? ORDER BY id LIMIT ?", after, BATCH);
    if (rows.length === 0) return;
    after = String(rows.at(-1)?.["id"]);
    yield rows.map((row) => JSON.parse(String(row["effect"])) as Message);
  }
};
