import { ok } from "../lib/result.ts";
import type { StageOutcome } from "./runner.ts";

const threw = (thrown: unknown): StageOutcome => {
  const message = thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
  const findings = [`verifier threw: ${message}`];
  return ok({ status: "completed", text: "", visible_text: "", data: { ok: false, findings } });
};

/**
 * Calls a verifier; one that throws has found something, and has not failed as a call (spec/workflow 7.1). After its time
 * is over it has failed all the same.
 */
export const asVerdict = (
  call: () => StageOutcome | Promise<StageOutcome>,
  isOver: () => boolean,
): StageOutcome | Promise<StageOutcome> => {
  const caught = (thrown: unknown): StageOutcome => {
    if (isOver()) throw thrown;
    return threw(thrown);
  };
  try {
    const outcome = call();
    return outcome instanceof Promise ? outcome.catch(caught) : outcome;
  } catch (thrown) {
    return caught(thrown);
  }
};
