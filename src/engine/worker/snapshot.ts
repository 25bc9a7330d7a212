import type { JsonObject } from "../../lib/json.ts";
import type { Worker } from "./state.ts";
import { snapshotFields } from "./summary.ts";

/** The snapshot of a worker (spec/workers 12.2); `cycle`, `children` and `resume_at_ms` are additional. */
export const snapshotOf = (worker: Worker): JsonObject => ({
  ...snapshotFields(worker),
  cycle: worker.cycle,
  children: worker.children,
  resume_at_ms: worker.resume_at_ms,
});
