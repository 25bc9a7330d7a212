import { flawOf } from "../executor/function.ts";
import { finishHandlers } from "../finish-handlers.ts";
import { byteLength, type Json } from "../lib/json.ts";
import type { FinishHarness } from "../ports/finish.ts";
import type { OnFinish } from "../engine/finish/state.ts";

/** What a run may keep as its value. */
const MAX_VALUE_BYTES = 65_536;

/** Why a deployment cannot do what is to be done at the end of a run; null when it can. */
export const unknownHandler = (name: string): string | null => {
  if (finishHandlers.find(name) !== undefined) return null;
  return `no finish handler "${name}" is registered; registered: ${finishHandlers.names.join(", ")}`;
};

/** Calls a handler with what this deployment has registered; throws what it throws. */
export const callFinishHandler = async (
  { handler, input }: OnFinish,
  harness: FinishHarness,
  returnValue: Json,
): Promise<Json> => {
  const found = finishHandlers.find(handler);
  if (found === undefined) throw new Error(unknownHandler(handler) ?? handler);
  const value = await found(harness, returnValue, input);
  const flaw = flawOf(value, "result", 0);
  if (flaw !== undefined) throw new Error(`it returned what JSON cannot carry: ${flaw}`);
  const size = byteLength(JSON.stringify(value));
  if (size > MAX_VALUE_BYTES) throw new Error(`it returned ${size} bytes, more than the limit of ${MAX_VALUE_BYTES}`);
  return value;
};
