import type { CancelCause, HandlerOutcome, OutsideCall } from "../../engine/trigger/handler.ts";
import { networkFetcher } from "../../llm/network.ts";
import { startDeadline } from "../deadline.ts";
import { createRedactor } from "../redaction.ts";
import { dispatchToAgent } from "./a2a.ts";
import { sendEvent } from "./http.ts";
import { callFunction } from "./local.ts";
import { failed, reasonOf } from "./outcome.ts";
import type { CallSurroundings, HandlerPorts } from "./ports.ts";
import { enqueueJob } from "./worker.ts";

/** How long a queue may take to take a job. */
const ENQUEUE_MS = 30_000;

const limitOf = (call: OutsideCall): number => {
  if (call.kind === "worker") return ENQUEUE_MS;
  return call.kind === "http" ? call.http.timeout_ms : call.timeout_ms;
};

const WHAT = { local: "local handler", http: "HTTP handler", worker: "worker enqueue", a2a: "A2A dispatch" } as const;

const cancelled = (call: OutsideCall, cause: unknown): HandlerOutcome => {
  const by: CancelCause = cause === "dispatcher shutdown" ? cause : "trigger cancel request";
  return failed("cancelled", `${by} cancelled ${WHAT[call.kind]}`);
};

const run = (call: OutsideCall, around: CallSurroundings): Promise<HandlerOutcome> => {
  switch (call.kind) {
    case "local":
      return callFunction(call, around);
    case "http":
      return sendEvent(call, around);
    case "worker":
      return enqueueJob(call, around);
    case "a2a":
      return dispatchToAgent(call, around);
  }
};

const CLASS = { local: "local", http: "local", worker: "infrastructure", a2a: "a2a" } as const;

const withoutSecrets = (outcome: HandlerOutcome, { env }: HandlerPorts): HandlerOutcome => {
  const redactor = createRedactor(env);
  return outcome.type === "succeeded"
    ? { ...outcome, result: redactor.json(outcome.result) }
    : { ...outcome, error: redactor.text(outcome.error) };
};

/**
 * Performs one call of a handler (spec/triggers 11); it never throws. Abort the signal with a `CancelCause` as its reason:
 * the call's result is thrown away then, and what it has done stays done.
 */
export const performHandler = async (
  call: OutsideCall,
  ports: HandlerPorts,
  signal: AbortSignal,
): Promise<HandlerOutcome> => {
  if (signal.aborted) return cancelled(call, signal.reason);
  const limit = limitOf(call);
  const deadline = startDeadline(limit, signal);
  const around: CallSurroundings = { ...ports, fetcher: networkFetcher(ports.fetcher), signal: deadline.signal() };
  const ended = (thrown: unknown): HandlerOutcome => failed(CLASS[call.kind], reasonOf(thrown));
  const outcome = await Promise.race([run(call, around), deadline.expired]).catch(ended);
  const ending = deadline.ending();
  deadline.stop();
  if (ending === "cancelled") return cancelled(call, signal.reason);
  return ending === "timeout"
    ? failed("timeout", `handler timed out after ${limit} ms`)
    : withoutSecrets(outcome, ports);
};
