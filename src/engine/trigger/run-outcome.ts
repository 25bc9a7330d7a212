import type { RunEnd } from "../run/command.ts";
import type { HandlerReport } from "./event.ts";

const FAILED = { type: "failed", class: "local", code: "run_failed", retryable: true } as const;
const CANCELLED = { type: "failed", class: "cancelled", code: "run_cancelled", retryable: false } as const;

/** Whether a report tells of a run that has ended, and so of one that existed. */
export const isRunEnd = ({ code }: Extract<HandlerReport, { readonly type: "failed" }>): boolean =>
  code === FAILED.code || code === CANCELLED.code;

/** An end that is one for whoever started the run. */
type EndOfRun = RunEnd & { readonly status: "completed" | "failed" | "cancelled" };

/** How the end of a run settles the attempt that waits for it. */
export const runOutcome = ({ status, error }: EndOfRun): HandlerReport => {
  if (status === "completed") return { type: "succeeded", result: { status } };
  const detail = error ?? `the run ended ${status}`;
  return status === "failed" ? { ...FAILED, detail } : { ...CANCELLED, detail };
};
