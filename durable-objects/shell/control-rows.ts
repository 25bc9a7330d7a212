import type { Store } from "../storage/store.ts";

// Only triggers whose predicate asks a model, or that have an autonomy budget, ever need the table.
const TABLE =
  "CREATE TABLE IF NOT EXISTS control_state (name TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID";

const isThere = (store: Store): boolean =>
  store.query("SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'control_state'").length > 0;

/** What is remembered under a name; null when nothing is. */
export const loadControl = <State>(store: Store, name: string): State | null => {
  if (!isThere(store)) return null;
  const text = store.query("SELECT state FROM control_state WHERE name = ?", name)[0]?.["state"];
  return typeof text === "string" ? (JSON.parse(text) as State) : null;
};

/** Remembers something under a name: one row. */
export const storeControl = (store: Store, name: string, state: unknown): void => {
  store.write(TABLE);
  store.write(
    "INSERT INTO control_state (name, state) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET state = excluded.state",
    name,
    JSON.stringify(state),
  );
};

/** Forgets what is remembered under a name. */
export const dropControl = (store: Store, name: string): void => {
  if (isThere(store)) store.write("DELETE FROM control_state WHERE name = ?", name);
};
