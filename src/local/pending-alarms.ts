import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Log } from "./log.ts";

/** An object that has something to do. */
export interface PendingObject {
  readonly id: string;
  readonly due_at_ms: number;
}

/** Which alarms to read. */
export interface AlarmQuery {
  /** The folder of all state. */
  readonly state: string;
  readonly worker: string;
  readonly className: string;
  /** Alarms after this moment are left to themselves. */
  readonly until: number;
  readonly limit: number;
}

const NANOSECONDS = 1_000_000n;

/**
 * The objects of a class with an alarm, the soonest first, as the runtime keeps them on disk.
 *
 * That layout is the runtime's own: where it is another one there is nothing to read, which the log says, and the
 * objects' alarms do the same work a little later.
 */
export const pendingObjects = (query: AlarmQuery, log: Log): readonly PendingObject[] => {
  const { state, worker, className, until, limit } = query;
  const file = join(state, "v3/do", `${worker}-${className}`, "metadata.sqlite");
  if (!existsSync(file)) return [];
  try {
    const database = new DatabaseSync(file, { readOnly: true, timeout: 1_000 });
    try {
      const select = database.prepare(
        "SELECT actor_id, scheduled_time FROM _cf_ALARM WHERE scheduled_time <= ? ORDER BY scheduled_time LIMIT ?",
      );
      // Nanoseconds since 1970 are more than a number can hold.
      select.setReadBigInts(true);
      return select.all(BigInt(until) * NANOSECONDS, limit).map((row) => ({
        id: String(row["actor_id"]),
        due_at_ms: Number((row["scheduled_time"] as bigint) / NANOSECONDS),
      }));
    } finally {
      database.close();
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.write("warn", "cannot read which objects have work; their alarms bring them back within 15 s", {
      class: className,
      reason,
    });
    return [];
  }
};
