import { base64Bytes } from "../../connectors/encoding.ts";
import { findTenantWebhook, type TenantWebhook } from "../../ports/worker-webhook.ts";
import { egressRefusal } from "../../executor/private-hosts.ts";
import { rfc3339 } from "../../lib/time.ts";
import {
  type PutWorkerWebhook,
  putWorkerWebhookSchema,
  webhookDeliveriesSchema,
  workerWebhookSchema,
} from "../../schema/worker-webhook.ts";
import type { Call } from "../call.ts";
import { fromDatabase } from "../fault.ts";
import { invalid } from "../problem.ts";
import { done, type Router } from "../router.ts";
import { sealFor } from "../trigger-secrets.ts";
import { workerNotFound, workerObject } from "../worker-object.ts";
import { deleteTenantWebhook, storeTenantWebhook, webhookOwner } from "../worker-webhook.ts";

const shared = { tag: "Workers", access: "workers" } as const;
const path = "/v1/worker_webhook";
const reply = { status: 200, description: "The webhook", name: "WorkerWebhook", schema: workerWebhookSchema };

const shown = (found: TenantWebhook | null) => {
  if (found === null) return { webhook: null };
  const { sealed, ...webhook } = found;
  return { webhook: { ...webhook, has_secret: sealed !== null } };
};

const put = async (call: Call, { secret, url, events, headers }: PutWorkerWebhook) => {
  const refused = egressRefusal(new URL(url), call.env.GODWIT_ALLOW_PRIVATE_HOSTS);
  if (refused !== undefined) return invalid([{ path: "url", message: refused }]);
  if (secret !== undefined && base64Bytes(secret.replace(/^whsec_/, "")) === null)
    return invalid([{ path: "secret", message: "must be base64, with or without `whsec_`" }]);
  const sealed = secret === undefined ? null : await sealFor(call.env, webhookOwner(call.tenant), secret);
  if (sealed !== null && !sealed.ok) return sealed.error;
  const text = sealed === null ? null : sealed.value.sealed;
  const webhook = { url, events, headers, sealed: text, updated_at: rfc3339(Date.now()) };
  await storeTenantWebhook(call.env.DB, call.tenant, webhook);
  return done(shown(webhook));
};

const addTenantWebhook = (router: Router): void => {
  router.add(
    {
      ...shared,
      method: "put",
      path,
      operation: "put_worker_webhook",
      summary: "Send the events of the tenant's workers somewhere",
      description:
        "Workers that are spawned from now on send their events there, unless their config names another webhook. Put without `secret` they are not signed.",
      body: { name: "PutWorkerWebhook", schema: putWorkerWebhookSchema },
      reply,
      problems: ["unavailable"],
    },
    ({ body, call }) => put(call, body),
  );
  router.add(
    { ...shared, method: "get", path, operation: "get_worker_webhook", summary: "Read where they are sent", reply },
    async ({ call }) => done(shown(await fromDatabase(findTenantWebhook(call.env.DB, call.tenant)))),
  );
  router.add(
    {
      ...shared,
      method: "delete",
      path,
      operation: "delete_worker_webhook",
      summary: "Send them nowhere any more",
      description: "What is still to be sent to it is given up.",
      reply: { status: 204, description: "There is no webhook" },
    },
    async ({ call }) => {
      await deleteTenantWebhook(call.env.DB, call.tenant);
      return done(undefined, 204);
    },
  );
};

/** Outgoing webhooks of workers: where a tenant wants them, and what became of them (spec/workers 13.3). */
export const addWorkerWebhookRoutes = (router: Router): void => {
  addTenantWebhook(router);
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/workers/{worker_id}/webhook_deliveries",
      operation: "list_webhook_deliveries",
      summary: "List what became of sending the newest events of a worker",
      description: "At most the newest 200; none for a worker without a webhook.",
      reply: { status: 200, description: "Deliveries", name: "WebhookDeliveries", schema: webhookDeliveriesSchema },
      problems: ["worker_not_found"],
    },
    async ({ params, call }) => {
      const items = await workerObject(call.env, call.tenant, params.worker_id).webhookDeliveries();
      return items === null ? workerNotFound(params.worker_id) : done({ items });
    },
  );
};
