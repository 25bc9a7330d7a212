import { createHmac, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { EventView } from "../../schema/trigger-event.ts";
import { dispatchIdFor, runIdFor } from "../../engine/trigger/dispatch.ts";
import type { Receipt, TriggerView } from "../../schema/trigger.ts";
import type { Api } from "../api.ts";
import { deliver, type Delivery, githubSignatureOf } from "../demo/delivery.ts";
import { type ServerOptions, startProcess } from "./server-process.ts";

/** Name of the trigger and of its workflow. */
export const NAME = "crash-hook";

/** How many of them are looked at together. */
const LOOK_AT_ONCE = 50;

/** How many senders deliver at the same time. */
const SENDERS = 4;

/** After a restart every acknowledged delivery must have its completed run by then. */
const PATIENCE_MS = 60_000;

/** And be found by its id, which takes a moment longer. */
const INDEX_PATIENCE_MS = 20_000;

const DONE = "has a run that is completed";

/** What a round found out. */
export interface WebhookRound {
  /** Deliveries that had been answered 202 when the process was killed. */
  readonly acknowledged: number;
  /** From the moment the new process serves until each of them had its completed run. */
  readonly all_done_after_ready_ms: number;
  /** Empty when everything is right. */
  readonly faults: readonly string[];
}

/** A delivery that was answered. */
export interface Acknowledged {
  readonly receipt: Receipt;
  readonly delivery: Delivery;
}

/** A delivery like no other, signed. */
export const delivery = (secret: string): Delivery => {
  const id = randomUUID();
  const body = JSON.stringify({ action: "opened", number: id, check: createHmac("sha256", id).digest("hex") });
  return {
    body,
    headers: {
      "Content-Type": "application/json",
      "X-GitHub-Event": "issues",
      "X-GitHub-Delivery": id,
      "X-Hub-Signature-256": githubSignatureOf(secret, body),
    },
  };
};

/** Puts the trigger and the workflow of its runs. */
export const register = async (api: Api, secret: string): Promise<void> => {
  const graph = { entry: "keep", nodes: { keep: { kind: "stage", mode: "function", function: "echo" } }, edges: [] };
  await api.client.defineWorkflow(NAME, graph);
  const handler = { workflow: NAME };
  await api.put(`/v1/triggers/${NAME}`, { provider: "github", secret, match: { events: ["issues"] }, handler });
};

/** Delivers one after the other until the server is gone; only what was answered counts. */
const deliverUntilGone = async (hook: string, secret: string, seen: Acknowledged[]): Promise<void> => {
  for (;;) {
    const next = delivery(secret);
    try {
      seen.push({ receipt: (await deliver(hook, next)).receipt, delivery: next });
    } catch {
      return;
    }
  }
};

const runStatus = async (api: Api, trigger: TriggerView, { receipt }: Acknowledged): Promise<string> => {
  const runId = runIdFor(dispatchIdFor(trigger, receipt.event_id));
  const run = await api.look<{ readonly status: string }>(`/v1/runs/${runId}`);
  return run === null ? "has no run" : `has a run that is ${run.status}`;
};

const eventStatus = async (api: Api, { receipt }: Acknowledged): Promise<string> => {
  const event = await api.look<EventView>(`/v1/events/${receipt.event_id}`);
  if (event === null) return "is not found by GET /v1/events/{event_id}";
  const { runs, status } = event;
  return runs.length === 1 && status === "dispatched" ? "is dispatched" : `is ${status} and names ${runs.length} runs`;
};

const lookAtAll = async (
  all: readonly Acknowledged[],
  look: (one: Acknowledged) => Promise<string>,
): Promise<readonly string[]> => {
  const states: string[] = [];
  for (let from = 0; from < all.length; from += LOOK_AT_ONCE)
    states.push(...(await Promise.all(all.slice(from, from + LOOK_AT_ONCE).map(look))));
  return states;
};

/** Waits until all are as they should be; answers what is wrong with the others. */
const awaitAll = async (
  all: readonly Acknowledged[],
  { wanted, within_ms, look }: { wanted: string; within_ms: number; look: (one: Acknowledged) => Promise<string> },
): Promise<readonly string[]> => {
  let open = all;
  let states: readonly string[] = [];
  for (const deadline = Date.now() + within_ms; open.length > 0 && Date.now() < deadline; await sleep(50)) {
    states = await lookAtAll(open, look);
    open = open.filter((_, index) => states[index] !== wanted);
  }
  return open.length === 0 ? [] : states.filter((state) => state !== wanted);
};

/** What has become of deliveries that were answered: when their runs were completed, and what is wrong with the others. */
export const outcomeOf = async (
  api: Api,
  acknowledged: readonly Acknowledged[],
  patienceMs = PATIENCE_MS,
): Promise<{ readonly done_at_ms: number; readonly faults: readonly string[] }> => {
  const trigger = await api.get<TriggerView>(`/v1/triggers/${NAME}`);
  const look = (one: Acknowledged): Promise<string> => runStatus(api, trigger, one);
  const unfinished = await awaitAll(acknowledged, { wanted: DONE, within_ms: patienceMs, look });
  const done_at_ms = Date.now();
  const unlisted = await awaitAll(acknowledged, {
    wanted: "is dispatched",
    within_ms: INDEX_PATIENCE_MS,
    look: (one) => eventStatus(api, one),
  });
  return { done_at_ms, faults: [...unfinished, ...unlisted].map((state) => `an acknowledged delivery ${state}`) };
};

/** Sends the last deliveries again, as a sender does that saw no answer. */
const redeliver = async (hook: string, acknowledged: readonly Acknowledged[]): Promise<readonly string[]> => {
  const again = await Promise.all(
    acknowledged.slice(-10).map(async ({ delivery, receipt }) => ({
      first: receipt,
      second: (await deliver(hook, delivery)).receipt,
    })),
  );
  return again.flatMap(({ first, second }) =>
    second.duplicate && second.receipt === first.receipt ? [] : [`${first.receipt} was not recognised as a duplicate`],
  );
};

/** Kills a server that is taking in deliveries, starts it again, and checks that each acknowledged one has its run. */
export const playWebhookRound = async (options: ServerOptions, killAfterMs: number): Promise<WebhookRound> => {
  const secret = randomUUID();
  let server = await startProcess(options);
  try {
    await register(server.api, secret);
    const hook = `${server.api.url}/hooks/${NAME}`;
    const acknowledged: Acknowledged[] = [];
    const senders = Array.from({ length: SENDERS }, () => deliverUntilGone(hook, secret, acknowledged));
    await sleep(killAfterMs);
    await server.kill("tree");
    await Promise.all(senders);
    server = await startProcess(options);
    const { api } = server;
    const { done_at_ms: doneAt, faults } = await outcomeOf(api, acknowledged);
    return {
      acknowledged: acknowledged.length,
      all_done_after_ready_ms: doneAt - server.ready_at_ms,
      faults: [
        ...(acknowledged.length === 0 ? ["no delivery was acknowledged before the kill: nothing was tested"] : []),
        ...faults,
        ...(await redeliver(hook, acknowledged)),
      ],
    };
  } finally {
    await server.stop();
  }
};
