import type { EventAnswer } from "../../durable-objects/trigger.ts";
import { indexEvent } from "../queue/index-events.ts";
import type { Call } from "./call.ts";
import { runObject } from "./run-object.ts";

/** Tells the lists, and stops the run that handled the event. */
export const carriedOut = async (call: Pick<Call, "env" | "tenant">, answer: EventAnswer): Promise<void> => {
  const { env, tenant } = call;
  const { cancel_run: runId, dead_letter } = answer;
  await indexEvent(env, tenant, answer, { dead_letter });
  if (runId !== null)
    await runObject(env, tenant, runId).request({ type: "cancel_run", reason: "the event was cancelled" });
};
