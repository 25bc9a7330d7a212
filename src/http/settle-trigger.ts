import { ACKNOWLEDGED_BY, type SettleTrigger } from "../engine/finish/acknowledge.ts";
import { uuidIds } from "../ports/ids.ts";
import type { Call } from "./call.ts";
import { carriedOut } from "./carry-out.ts";
import { foundEvent } from "./found-event.ts";
import { queueObject } from "./queue-object.ts";

/** Settles a queued trigger: its job is acknowledged, its event cancelled; false where it is not there any more (spec/workers 22.4). */
export const settleTrigger = async (call: Pick<Call, "env" | "tenant">, how: SettleTrigger): Promise<boolean> => {
  if (how.type === "ack_job") {
    const result = { acknowledged_by: ACKNOWLEDGED_BY };
    const object = queueObject(call.env, call.tenant, how.queue);
    return (await object.tell(how.job_id, { type: "ack", claim_id: "", result })).ok;
  }
  const found = await foundEvent(call, how.event_id);
  if (!found.ok) return false;
  const { address, object } = found.value;
  const request = { requested_by: ACKNOWLEDGED_BY, audit_id: uuidIds("trigger_audit") };
  const answer = await object().cancel(address.key, request);
  if (answer.ok) await carriedOut(call, answer.reply);
  return answer.ok;
};
