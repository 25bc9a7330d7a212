import type { FlowChanges } from "../../src/engine/trigger/flow/changes.ts";
import type { FlowRows } from "../../src/engine/trigger/flow/flow-control.ts";
import type { FlowHits, FlowTicket } from "../../src/engine/trigger/flow/ticket.ts";
import type { Store } from "../storage/store.ts";

// Most triggers have no flow control: the tables are made with the first row.
const TICKETS =
  "CREATE TABLE IF NOT EXISTS flow_ticket (id TEXT PRIMARY KEY, ticket TEXT NOT NULL) STRICT, WITHOUT ROWID";
const HITS = "CREATE TABLE IF NOT EXISTS flow_hits (gate TEXT PRIMARY KEY, hits TEXT NOT NULL) STRICT, WITHOUT ROWID";

const isThere = (store: Store, table: string): boolean =>
  store.query("SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = ?", table).length > 0;

/** The rows from which flow control is built. */
export const loadFlow = (store: Store): FlowRows => {
  if (!isThere(store, "flow_ticket")) return { tickets: [], hits: [] };
  const tickets = store.query("SELECT ticket FROM flow_ticket ORDER BY id");
  const hits = store.query("SELECT hits FROM flow_hits ORDER BY gate");
  return {
    tickets: tickets.map((row) => JSON.parse(String(row["ticket"])) as FlowTicket),
    hits: hits.map((row) => JSON.parse(String(row["hits"])) as FlowHits),
  };
};

const gateOf = ({ primitive, gate }: FlowHits): string => `${primitive}:${gate}`;

/** Writes down what an operation changed: one row for each ticket, and one for each window that counted an event. */
export const storeFlow = (store: Store, changes: FlowChanges): void => {
  const { tickets, removed, hits } = changes;
  if (tickets.length + removed.length + hits.length === 0) return;
  store.write(TICKETS);
  store.write(HITS);
  for (const ticket of tickets)
    store.write(
      "INSERT INTO flow_ticket (id, ticket) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET ticket = excluded.ticket",
      ticket.id,
      JSON.stringify(ticket),
    );
  for (const id of removed) store.write("DELETE FROM flow_ticket WHERE id = ?", id);
  for (const one of hits)
    if (one.times.length === 0) store.write("DELETE FROM flow_hits WHERE gate = ?", gateOf(one));
    else
      store.write(
        "INSERT INTO flow_hits (gate, hits) VALUES (?, ?) ON CONFLICT (gate) DO UPDATE SET hits = excluded.hits",
        gateOf(one),
        JSON.stringify(one),
      );
};
