import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import type { FinishHandler, FinishHarness, FinishSnapshot } from "../ports/finish.ts";

const NO_INPUT: JsonObject = {};

const inputOf = (input: Json): JsonObject => (isObject(input) ? input : NO_INPUT);

const inShort = ({ counts, summary }: FinishSnapshot): JsonObject => ({ counts, summary });

/** Leaves everything as it is, and says so where there is something (spec/workers 21.11). */
const abandon: FinishHandler = async (harness, returnValue) => {
  const snapshot = await harness.unsettled();
  if (!snapshot.is_empty) await harness.emitAudit("pipeline_abandoned_unsettled", inShort(snapshot));
  return returnValue;
};

/** Settles what is unsettled; the receipt of that becomes the run's value (spec/workers 21.11). */
const drain: FinishHandler = async (harness, returnValue, input) => {
  const snapshot = await harness.unsettled();
  if (!snapshot.is_empty)
    return harness.settle({
      budget: inputOf(input)["drain_budget_iterations"] ?? null,
      return_value: returnValue,
      include_events: inputOf(input)["include_events"] === true,
    });
  await harness.finalize({ kind: "drained" });
  return returnValue;
};

const DEFAULT_WAIT_MS = 60_000;

/** A consumer has no longer than 15 minutes for everything. */
const MAX_WAIT_MS = 10 * 60_000;

const FIRST_PAUSE_MS = 250;

const MAX_PAUSE_MS = 5_000;

const waitMs = (asked: Json | undefined): number =>
  typeof asked === "number" && asked > 0 ? Math.min(asked, MAX_WAIT_MS) : DEFAULT_WAIT_MS;

/** Looks again and again until nothing is unsettled, or the time is over. */
const isSettledWithin = async (harness: FinishHarness, ms: number): Promise<boolean> => {
  const until = harness.now() + ms;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, MAX_PAUSE_MS)) {
    if ((await harness.unsettled()).is_empty) return true;
    const left = until - harness.now();
    if (left <= 0) return false;
    await harness.sleep(Math.min(pause, left));
  }
};

/** Waits until nothing is unsettled; when that takes too long, another handler decides (spec/workers 21.11). */
const blockUntilSettled: FinishHandler = async (harness, returnValue, input) => {
  const { timeout_ms, fallback } = inputOf(input);
  const limit = waitMs(timeout_ms);
  if (await isSettledWithin(harness, limit)) {
    await harness.emitAudit("pipeline_finalized:settled_within_timeout", { timeout_ms: limit });
    return returnValue;
  }
  await harness.emitAudit("settlement_timeout", { timeout_ms: limit });
  const next = fallback === "abandon" ? abandon : fallback === "handoff_to" ? handoffTo : drain;
  return next(harness, returnValue, input);
};

/** Hands what is unsettled on to another pipeline (spec/workers 21.11). */
const handoffTo: FinishHandler = async (harness, returnValue, input) => {
  const { target, options } = inputOf(input);
  if (typeof target !== "string" || target === "") throw new Error("missing target pipeline argument");
  const snapshot = await harness.unsettled();
  if (snapshot.is_empty) await harness.finalize({ kind: "settled" });
  else
    await harness.handoffTo(target, { origin: harness.run_id, unsettled: snapshot.state, ...inputOf(options ?? null) });
  return returnValue;
};

/** The handlers that every deployment has (spec/workers 21.11). */
export const finishPresets = {
  abandon,
  drain,
  block_until_settled: blockUntilSettled,
  handoff_to: handoffTo,
} as const;
