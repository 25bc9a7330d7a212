import type { Admission } from "../../src/engine/trigger/admission.ts";
import { flowOf } from "../../src/engine/trigger/definition-handler.ts";
import { FLOW_ORDER } from "../../src/engine/trigger/flow/ticket.ts";
import { autonomyLimits } from "../../src/engine/trigger/predicate/limits.ts";
import type { StoredDefinition } from "../../src/schema/trigger-definition.ts";
import type { Store } from "../storage/store.ts";

/** Whether something of a trigger has to be decided in one place for all its shards: money, decisions or flow control. */
export const needsCoordinator = (definition: StoredDefinition): boolean => {
  const { per_hour, per_day } = autonomyLimits(definition);
  const flow = flowOf(definition);
  const asksModel = definition.when !== undefined && typeof definition.when !== "string";
  return asksModel || per_hour !== null || per_day !== null || FLOW_ORDER.some((gate) => flow[gate] !== undefined);
};

const TABLE =
  "CREATE TABLE IF NOT EXISTS shard_verdict (ticket TEXT PRIMARY KEY, admission TEXT NOT NULL) STRICT, WITHOUT ROWID";

const isThere = (store: Store): boolean =>
  store.query("SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'shard_verdict'").length > 0;

/** Keeps what was decided about an event of a shard until the shard has asked for it. */
export const keepVerdict = (store: Store, ticket: string, admission: Admission): void => {
  store.write(TABLE);
  store.write(
    "INSERT INTO shard_verdict (ticket, admission) VALUES (?, ?) ON CONFLICT (ticket) DO UPDATE SET admission = excluded.admission",
    ticket,
    JSON.stringify(admission),
  );
};

/** What was decided about an event of a shard; null when nothing was. */
export const keptVerdict = (store: Store, ticket: string): Admission | null => {
  if (!isThere(store)) return null;
  const text = store.query("SELECT admission FROM shard_verdict WHERE ticket = ?", ticket)[0]?.["admission"];
  return typeof text === "string" ? (JSON.parse(text) as Admission) : null;
};

/** The shard has what was decided. */
export const dropVerdict = (store: Store, ticket: string): void => {
  if (isThere(store)) store.write("DELETE FROM shard_verdict WHERE ticket = ?", ticket);
};
