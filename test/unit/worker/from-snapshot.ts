import type { Context } from "../../../src/engine/machine.ts";
import { restoredWorker } from "../../../src/engine/worker/restored-worker.ts";
import type { Worker } from "../../../src/engine/worker/state.ts";
import type { Json, JsonObject } from "../../../src/lib/json.ts";
import type { Result } from "../../../src/lib/result.ts";
import { decodeSnapshot } from "../../../src/schema/worker-snapshot.ts";

/** A moment, and ids that count from 1. */
export const countedContext = (now = 1_000): Context => {
  let count = 0;
  return {
    now,
    nextId: (prefix) => {
      count += 1;
      return prefix === "" ? `id-${count}` : `${prefix}_${count}`;
    },
  };
};

/** What a snapshot is loaded as. */
export const loaded = (snapshot: Json, context: Context = countedContext()): Result<Worker, string> => {
  const decoded = decodeSnapshot(snapshot);
  return decoded.ok ? restoredWorker(decoded.value, { tenant: "default", path: "dir/w.json" }, context) : decoded;
};

/** A worker with these fields of its snapshot. */
export const workerWith = (fields: JsonObject = {}, context?: Context): Worker => {
  const worker = loaded(
    {
      id: "worker_1",
      name: "scout",
      task: "one",
      status: "completed",
      mode: "stage",
      history: ["one"],
      created_at: "2026-01-01T00:00:00.000Z",
      started_at: "2026-01-01T00:00:00.000Z",
      finished_at: "2026-01-01T00:01:00.000Z",
      config: { mode: "stage", node: { kind: "stage" }, artifacts: [] },
      carry_policy: {},
      audit: { session_id: "session_1" },
      ...fields,
    },
    context,
  );
  if (!worker.ok) throw new Error(worker.error);
  return worker.value;
};
