import type { Migration } from "./migration.ts";

/** The schema of a circuit: one row while it is not closed without failures, and none otherwise. */
export const CIRCUIT: readonly Migration[] = [
  {
    name: "0001_circuit",
    statements: ["CREATE TABLE circuit (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL) STRICT"],
  },
];
