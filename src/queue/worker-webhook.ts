import type { TakenWebhook } from "../../durable-objects/shell/webhook-watch.ts";
import { postWebhook, type Receiver } from "../executor/webhook.ts";
import { openTenantSecret } from "../http/worker-webhook.ts";
import { workerObject } from "../http/worker-object.ts";
import type { Bindings } from "../http/call.ts";
import { sessionUpdate } from "../engine/worker/updates.ts";
import type { WorkerCommand } from "../engine/worker/command.ts";
import { err, ok, type Result } from "../lib/result.ts";
import type { ModelEnv } from "../ports/model-env.ts";
import { findTenantWebhook } from "../ports/worker-webhook.ts";
import type { CycleStart } from "./begin-cycle.ts";

type Report = Extract<WorkerCommand, { readonly type: "report_webhook" }>;

const GONE = "the tenant has no webhook any more";

/** Where the events go; null where the tenant wants them nowhere any more. */
const receiverOf = async (
  env: Bindings,
  tenant: string,
  target: TakenWebhook["target"],
): Promise<Result<Receiver | null, string>> => {
  if (target !== "tenant") {
    const { url, headers, secret_ref: name } = target;
    const secret = name === null ? null : (env as unknown as Record<string, unknown>)[`GODWIT_SECRET_${name}`];
    if (secret !== null && typeof secret !== "string")
      return err(`the secret "${name}" is not configured: set GODWIT_SECRET_${name}`);
    return ok({ url, headers, secret });
  }
  const found = await findTenantWebhook(env.DB, tenant);
  if (found === null) return ok(null);
  const { url, headers, sealed } = found;
  if (sealed === null) return ok({ url, headers, secret: null });
  const secret = await openTenantSecret(env, tenant, sealed);
  return secret.ok ? ok({ url, headers, secret: secret.value }) : secret;
};

const bodyOf = (id: string, update: TakenWebhook["items"][number]): string =>
  JSON.stringify({
    eventId: id,
    seq: update.seq,
    at: update.at,
    sessionId: update.session_id,
    ...sessionUpdate(update),
  });

/** A sender: where it finds the worker, and how it reaches the receiver. */
interface Sender {
  readonly env: Bindings;
  readonly fetcher: typeof fetch;
}

const send = async (
  { env, fetcher }: Sender,
  { tenant, worker_id }: CycleStart,
  taken: TakenWebhook,
): Promise<Report> => {
  const { from, through, items, target } = taken;
  const report = { type: "report_webhook", from } as const;
  const receiver = await receiverOf(env, tenant, target);
  // What lies before the next event that is wanted needs no sending.
  const first = (items[0]?.seq ?? from + 1) - 1;
  if (!receiver.ok) return { ...report, delivered: first, error: receiver.error };
  if (receiver.value === null) return { ...report, delivered: first, error: GONE, hopeless: true };
  const ports = { env: env as unknown as ModelEnv, fetcher, now: () => Date.now() };
  for (const update of items) {
    const id = `${worker_id}.${update.seq}`;
    const sent = await postWebhook(receiver.value, { id, body: bodyOf(id, update) }, ports);
    if (!sent.ok) return { ...report, delivered: update.seq - 1, error: sent.error };
  }
  return { ...report, delivered: through, error: null };
};

/** Sends what a worker's webhook is owed, in order, on behalf of a message (spec/workers 13.3). */
export const deliverWorkerWebhook = async (env: Env, of: CycleStart, fetcher = fetch): Promise<void> => {
  const taken = await workerObject(env, of.tenant, of.worker_id).takeWebhook();
  if (taken === null) return;
  const report = await send({ env, fetcher }, of, taken);
  // Asked anew: the stub may have broken while the receiver was waited for.
  await workerObject(env, of.tenant, of.worker_id).reportWebhook(report);
};
