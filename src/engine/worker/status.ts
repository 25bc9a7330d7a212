import type { Worker, WorkerStatus } from "./state.ts";

/** Whether nothing goes on by itself from here (spec/workers 8.1); only an input or an import does. */
export const isTerminal = (status: WorkerStatus): boolean =>
  status === "completed" ||
  status === "failed" ||
  status === "cancelled" ||
  status === "stopped" ||
  status === "interrupted";

/** The run that still goes on, or would, for a worker; null where there is none to be told anything. */
export const liveRun = ({ status, run }: Worker): string | null => {
  if (status !== "running" && status !== "suspended") return null;
  return run === null || !run.begun || run.ended !== undefined ? null : run.run_id;
};

/**
 * Whether the run of the current cycle is still to be started. A worker that was suspended before that waits for it as well:
 * whoever is starting it cannot be called back, so that it comes to rest only when its run is there (spec/workers 32.4).
 */
export const lacksRun = ({ status, run, suspension }: Worker): boolean =>
  run === null && (status === "running" || (status === "suspended" && suspension?.quiesced_at == null));
