import type { SqliteStore } from "../../../durable-objects/storage/sqlite-store.ts";
import { NOON } from "../../unit/trigger/fixture.ts";

/** What is left on a disk although everything is over. */
export const leftovers = (disk: SqliteStore): readonly string[] => {
  const faults = ["outbox", "flow_ticket", "shard_verdict"].flatMap((table) => {
    const isThere = disk.query("SELECT 1 AS found FROM sqlite_master WHERE name = ?", table).length > 0;
    const left = isThere ? Number(disk.query(`SELECT count(*) AS rows FROM ${table}`)[0]?.["rows"]) : 0;
    return left > 0 ? [`${left} rows are left in ${table}`] : [];
  });
  return disk.alarmAt() === null ? faults : [...faults, "the alarm is still set"];
};

/** What was handled of each gate: so many, and at no time more than its trigger lets through. */
export const gateFaults = (
  startedAt: ReadonlyMap<string, readonly number[]>,
  {
    each,
    throttled,
  }: {
    readonly each?: number | "any" | undefined;
    readonly throttled?: readonly [max: number, period_ms: number] | undefined;
  },
): readonly string[] =>
  [...startedAt].flatMap(([gate, times]) => {
    const faults: string[] = [];
    if (typeof each === "number" && times.length !== each)
      faults.push(`${times.length} events of ${gate} were handled instead of ${each}`);
    const [max, period] = throttled ?? [Infinity, 1];
    if (times.some((at, index) => index >= max * (Math.floor((at - NOON) / period) + 1)))
      faults.push(`too many events of ${gate} were handled at once`);
    return faults;
  });
