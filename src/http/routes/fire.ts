import type * as z from "zod";
import { type Firing, firedEvent } from "../../connectors/fired-event.ts";
import { uuidIds } from "../../ports/ids.ts";
import { indexEvent } from "../../queue/index-events.ts";
import { fireSchema } from "../../schema/api-event-control.ts";
import { triggerIdSchema } from "../../schema/trigger-definition.ts";
import { type Receipt, receiptSchema } from "../../schema/trigger.ts";
import type { Call } from "../call.ts";
import { claimOnce } from "../idempotency.ts";
import { findEvent } from "../event-rows.ts";
import { fromRejection, invalid, problem, type Problem } from "../problem.ts";
import { done, type Outcome, type Router } from "../router.ts";
import { triggerNotFound, triggerObject } from "../trigger-object.ts";
import { acceptEvent } from "../trigger-shards.ts";

/** How often an event is fired again because the trigger was changed meanwhile. */
const MAX_TRIES = 4;

/** What tells an event that is fired apart from every other one. */
interface Names {
  readonly id: string;
  readonly event_id: string;
}

interface Fired {
  readonly trigger_id: string;
  readonly firing: Firing;
  readonly names: Names;
}

const accepted = async (call: Call, { trigger_id: triggerId, firing, names }: Fired): Promise<Outcome<Receipt>> => {
  const { tenant } = call;
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const object = triggerObject(call.env, tenant, triggerId);
    const binding = await object.binding();
    if (binding === null) return triggerNotFound(triggerId);
    const { version, seq, definition } = binding;
    const event = firedEvent(definition, firing, { id: names.id, now: Date.now() });
    const answer = await acceptEvent(
      call.env,
      { tenant, trigger_id: triggerId, definition },
      { version, seq, event, event_id: names.event_id },
    );
    if (answer === "stale") continue;
    if (!answer.ok) return fromRejection(answer.rejection);
    const { reply } = answer.reply;
    if (reply?.type !== "receipt") return problem("internal_error", "the trigger gave no receipt");
    const { event_id, receipt, duplicate } = reply;
    // The same request again gets the same answer.
    const isRepeated = call.idempotency_key !== null && event_id === names.event_id;
    // Waited for: whoever fires an event looks at it next.
    if (!duplicate) await indexEvent(call.env, tenant, answer.reply);
    return done({ event_id, receipt, duplicate: duplicate && !isRepeated }, 202);
  }
  return problem("unavailable", "the trigger is being changed; fire again");
};

/** An id that another event has would take its place in the list. */
const idProblem = async (call: Call, triggerId: string, body: z.output<typeof fireSchema>): Promise<Problem | null> => {
  const { event_id: eventId, dedupe_key: key } = body;
  const row = eventId === undefined ? null : await findEvent(call.env.DB, call.tenant, eventId);
  if (row === null || (row.trigger_id === triggerId && (key === undefined || key === row.dedupe_key))) return null;
  return invalid([{ path: "event_id", message: `is the id of another event of the trigger '${row.trigger_id}'` }]);
};

/** Events that are fired by hand, through the same intake as deliveries (spec/triggers 22.2, 22.5). */
export const addFireRoute = (router: Router): void => {
  router.add(
    {
      method: "post",
      path: "/v1/triggers/{trigger_id}/fire",
      operation: "fire_trigger",
      tag: "Triggers",
      access: "triggers",
      summary: "Fire an event by hand",
      description:
        "Works for every provider: the event is unsigned and otherwise like a delivery, so it is matched, deduplicated and handled. " +
        "An event of the same `dedupe_key` gets the receipt of the first one.",
      body: { name: "FireTrigger", schema: fireSchema, optional: true },
      reply: {
        status: 202,
        description: "The event is stored and will be handled",
        name: "Receipt",
        schema: receiptSchema,
      },
      problems: ["trigger_not_found", "trigger_paused", "payload_too_large", "idempotency_key_reused"],
    },
    async ({ params, body, call }) => {
      const { trigger_id: triggerId } = params;
      if (!triggerIdSchema.safeParse(triggerId).success) return triggerNotFound(triggerId);
      const { event_id: eventId, ...firing } = body;
      const taken = await idProblem(call, triggerId, body);
      if (taken !== null) return taken;
      const request = { trigger_id: triggerId, ...body };
      const fresh: Names = { id: eventId ?? uuidIds(""), event_id: eventId ?? uuidIds("trigger_evt") };
      const names = await claimOnce(call, "fire_trigger", request, fresh);
      return names.ok ? accepted(call, { trigger_id: triggerId, firing, names: names.value }) : names.error;
    },
  );
};
