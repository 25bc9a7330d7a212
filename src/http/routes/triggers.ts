import { pageQuery } from "../../schema/api.ts";
import {
  triggerPageSchema,
  type TriggerReport,
  triggerReportSchema,
  unknownDeliveryPageSchema,
} from "../../schema/trigger.ts";
import { triggerDefinitionSchema, triggerIdSchema } from "../../schema/trigger-definition.ts";
import { pathOf } from "../../schema/trigger-path.ts";
import type { Call } from "../call.ts";
import { pathLost } from "../path-claim.ts";
import { CURSOR_ISSUE, decodeCursor, pageFrom } from "../page.ts";
import { fromRejection, invalid } from "../problem.ts";
import { done, type Outcome, type Router } from "../router.ts";
import { tellShards } from "../trigger-shards.ts";
import { triggerNotFound, triggerObject } from "../trigger-object.ts";
import { putIssues, putTrigger } from "../trigger-put.ts";
import { forgetTrigger, listTriggers, storeTrigger } from "../trigger-rows.ts";
import { listUnknown } from "../unknown-deliveries.ts";

/**
 * The trigger as it is now, and whether its path is its own; the list learns of it before the answer leaves, because
 * triggers change rarely, and so do those who look for its path.
 */
const refreshed = async (
  call: Call,
  triggerId: string,
): Promise<{ readonly trigger: TriggerReport; readonly has_path: boolean } | null> => {
  const found = await triggerObject(call.env, call.tenant, triggerId).show();
  if (found === null) return null;
  await tellShards(call.env, { tenant: call.tenant, trigger_id: triggerId }, found.trigger.definition);
  return { trigger: found.trigger, has_path: await storeTrigger(call.env.DB, call.tenant, found) };
};

const shown = async (call: Call, triggerId: string): Promise<Outcome<TriggerReport>> => {
  const now = await refreshed(call, triggerId);
  return now === null ? triggerNotFound(triggerId) : done(now.trigger);
};

const shownWithPath = async (call: Call, triggerId: string): Promise<Outcome<TriggerReport>> => {
  const now = await refreshed(call, triggerId);
  if (now === null) return triggerNotFound(triggerId);
  return now.has_path ? done(now.trigger) : pathLost(pathOf(triggerId, now.trigger.definition));
};

const isTriggerId = (id: string): boolean => triggerIdSchema.safeParse(id).success;

const reply = { status: 200, description: "The trigger", name: "Trigger", schema: triggerReportSchema } as const;

const shared = { tag: "Triggers", access: "triggers" } as const;

const addPutAndDelete = (router: Router): void => {
  router.add(
    {
      ...shared,
      method: "put",
      path: "/v1/triggers/{trigger_id}",
      operation: "put_trigger",
      summary: "Define a trigger",
      description:
        "Another definition makes a new version, going back to an earlier one revives its version; events keep the version that " +
        "accepted them. The secret is write-only. A `path` is an address of its own, which one trigger has.",
      body: { name: "TriggerDefinition", schema: triggerDefinitionSchema },
      reply,
      problems: ["unavailable"],
    },
    async ({ params, body, call }) => {
      const { trigger_id: triggerId } = params;
      const issues = putIssues(call.env, triggerId, body);
      if (issues.length > 0) return invalid(issues);
      const put = await putTrigger(call, { trigger_id: triggerId, source: "dynamic" }, body);
      if (!put.ok) return put.error;
      return put.value.ok ? shownWithPath(call, triggerId) : fromRejection(put.value.rejection);
    },
  );
  router.add(
    {
      ...shared,
      method: "delete",
      path: "/v1/triggers/{trigger_id}",
      operation: "delete_trigger",
      summary: "Delete a trigger",
      description: "It accepts nothing any more and forgets its secret; events it has accepted are still handled.",
      reply: { status: 204, description: "The trigger is deleted" },
      problems: ["trigger_not_found"],
    },
    async ({ params, call }) => {
      const { trigger_id: triggerId } = params;
      if (!isTriggerId(triggerId)) return triggerNotFound(triggerId);
      const object = triggerObject(call.env, call.tenant, triggerId);
      const before = await object.binding();
      const answer = await object.control("delete");
      if (before !== null)
        await tellShards(call.env, { tenant: call.tenant, trigger_id: triggerId }, before.definition);
      // Also when it was deleted before: an earlier attempt may have got no further than the object.
      await forgetTrigger(call.env.DB, call.tenant, triggerId);
      return answer.ok ? done(undefined, 204) : triggerNotFound(triggerId);
    },
  );
};

const addReads = (router: Router): void => {
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/triggers",
      operation: "list_triggers",
      summary: "List triggers",
      query: pageQuery,
      reply: { status: 200, description: "A page", name: "TriggerPage", schema: triggerPageSchema },
    },
    async ({ query, call }) => {
      const after = query.cursor === undefined ? [""] : decodeCursor(query.cursor, 1);
      if (after === null) return invalid([CURSOR_ISSUE]);
      const rows = await listTriggers(call.env.DB, call.tenant, { after: after[0] ?? "", limit: query.limit + 1 });
      return done(pageFrom(rows, query.limit, (row) => [row.trigger_id]));
    },
  );
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/unknown_deliveries",
      operation: "list_unknown_deliveries",
      summary: "List deliveries for triggers that do not exist, by minute, newest first",
      description:
        "What a mistyped address or a scan leaves. Refused deliveries of a trigger that exists are shown with it.",
      query: pageQuery,
      reply: { status: 200, description: "A page", name: "UnknownDeliveryPage", schema: unknownDeliveryPageSchema },
    },
    async ({ query, call }) => {
      const before = query.cursor === undefined ? [] : decodeCursor(query.cursor, 1);
      if (before === null) return invalid([CURSOR_ISSUE]);
      const page = { before: before[0] ?? null, limit: query.limit + 1 };
      return done(pageFrom(await listUnknown(call.env.DB, call.tenant, page), query.limit, (row) => [row.minute]));
    },
  );
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/triggers/{trigger_id}",
      operation: "get_trigger",
      summary: "Get a trigger with its versions and the deliveries it refused",
      reply,
      problems: ["trigger_not_found"],
    },
    async ({ params, call }) => {
      const { trigger_id: triggerId } = params;
      const found = isTriggerId(triggerId) ? await triggerObject(call.env, call.tenant, triggerId).show() : null;
      return found === null ? triggerNotFound(triggerId) : done(found.trigger);
    },
  );
};

const addControl = (router: Router): void => {
  const texts = {
    pause: "Deliveries are refused with `trigger_paused` until it is resumed; accepted events are still handled.",
    resume: "Deliveries are accepted again.",
  } as const;
  for (const verb of ["pause", "resume"] as const) {
    router.add(
      {
        ...shared,
        method: "post",
        path: `/v1/triggers/{trigger_id}/${verb}`,
        operation: `${verb}_trigger`,
        summary: verb === "pause" ? "Pause a trigger" : "Resume a paused trigger",
        description: texts[verb],
        reply,
        problems: ["trigger_not_found"],
      },
      async ({ params, call }) => {
        const { trigger_id: triggerId } = params;
        if (!isTriggerId(triggerId)) return triggerNotFound(triggerId);
        const answer = await triggerObject(call.env, call.tenant, triggerId).control(verb);
        return answer.ok ? shown(call, triggerId) : fromRejection(answer.rejection);
      },
    );
  }
};

/** Triggers: what listens to webhooks (spec/triggers 5 and 6). */
export const addTriggerRoutes = (router: Router): void => {
  addPutAndDelete(router);
  addReads(router);
  addControl(router);
};
