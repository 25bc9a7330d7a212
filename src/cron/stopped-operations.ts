import type { Bindings } from "../http/call.ts";
import { stoppedOperations } from "../http/operation-rows.ts";
import { sendOperation } from "../queue/operations.ts";

/** An operation that has not moved for so long has lost its message; longer than any message is delayed. */
const STOPPED_MS = 10 * 60_000;

const MAX_OPERATIONS = 20;

/** Sends operations on that have stopped on their way (spec/triggers 22.6). */
export const resumeOperations = async (env: Bindings, now: number): Promise<void> => {
  const before = new Date(now - STOPPED_MS).toISOString();
  for (const operation of await stoppedOperations(env.DB, before, MAX_OPERATIONS)) await sendOperation(env, operation);
};
