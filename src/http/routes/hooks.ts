import { receiptSchema } from "../../schema/trigger.ts";
import { deliver } from "../hook-delivery.ts";
import { deliverByPath } from "../path-delivery.ts";
import type { Router } from "../router.ts";
import { triggerNotFound } from "../trigger-object.ts";

const DEFAULT_TENANT = "default";

const shared = {
  method: "post",
  tag: "Triggers",
  access: "open",
  reply: {
    status: 202,
    description: "The event is stored and will be handled",
    name: "Receipt",
    schema: receiptSchema,
  },
  problems: [
    "invalid_request",
    "invalid_signature",
    "forbidden",
    "trigger_not_found",
    "trigger_paused",
    "payload_too_large",
    "unavailable",
  ],
} as const;

const description =
  "Protected by the signature of the trigger's provider, not by an API key. A delivery that was taken in before gets the same receipt. Providers that demand another answer get it: 200, a challenge, an empty body.";

/** The hooks: webhooks come in here (architecture 4, steps 1 to 3). The answer is sent after the event's commit. */
export const addHookRoutes = (router: Router): void => {
  router.add(
    {
      ...shared,
      path: "/hooks/{trigger_id}",
      operation: "deliver_webhook",
      summary: "Deliver a webhook to a trigger of the default tenant",
      description,
    },
    ({ params, call }) => deliver(call, { tenant: DEFAULT_TENANT, trigger_id: params.trigger_id }),
  );
  router.add(
    {
      ...shared,
      path: "/hooks/{tenant}/{trigger_id}",
      operation: "deliver_tenant_webhook",
      summary: "Deliver a webhook to a trigger of a tenant",
      description,
    },
    ({ params, call }) => deliver(call, params),
  );
  router.add(
    {
      ...shared,
      path: "/triggers/{trigger_id}",
      operation: "deliver_webhook_by_path",
      summary: "Deliver a webhook to a trigger at its path",
      description:
        "The path of a trigger whose definition gives none. With `path` in its definition deliveries come in there " +
        "instead, at `/<path>`; for another tenant than `default` at `/tenant/{tenant}/<path>` and " +
        "`/hooks/tenant/{tenant}/<path>`. Otherwise like the trigger's hook.",
    },
    async ({ params, call }) => (await deliverByPath(call)) ?? triggerNotFound(params.trigger_id),
  );
};

/** Triggers at a path of their own: last, because every other address comes first (spec/triggers 20.1). */
export const addPathRoutes = (router: Router): void => {
  router.otherwise("post", deliverByPath);
};
