import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Receipt } from "../../schema/trigger.ts";
import type { Api } from "../api.ts";
import { deliver, type Delivery } from "../demo/delivery.ts";
import { type ServerOptions, type ServerProcess, startProcess } from "./server-process.ts";
import { type Acknowledged, delivery, NAME, outcomeOf, register } from "./webhook-round.ts";

/** How many senders deliver at the same time. */
const SENDERS = 16;

/** How long a sender waits before it delivers again what was not answered. */
const REDELIVER_MS = 100;

/** Runs that are completed one after the other take their time. */
const PATIENCE_MS = 600_000;

const LIST_PATIENCE_MS = 60_000;

const RUNS_A_PAGE = 100;

/** What a round with a given number of deliveries found out. */
export interface DeliveryRound {
  readonly deliveries: number;
  /** How many had been answered when the process was killed. */
  readonly answered_before: number;
  /** Sent again, because the first time nothing was answered. */
  readonly redelivered: number;
  /** Of those, how many had been taken in all the same. */
  readonly duplicates: number;
  readonly deliveries_per_second: number;
  /** From the moment the new process serves until the last run was completed. */
  readonly all_done_after_ready_ms: number;
  /** Empty when everything is right. */
  readonly faults: readonly string[];
}

interface Sending {
  readonly all: readonly Delivery[];
  readonly answers: Map<Delivery, Receipt>;
  next: number;
  redelivered: number;
  duplicates: number;
  /** False from the kill until the new process serves. */
  isUp: boolean;
}

/** Delivers until everything is answered; what was not answered is delivered again, with the same id. */
const send = async (hook: string, sending: Sending): Promise<void> => {
  for (let one = sending.all[sending.next++]; one !== undefined; one = sending.all[sending.next++]) {
    for (let again = false; !sending.answers.has(one);) {
      try {
        const { receipt } = await deliver(hook, one);
        sending.answers.set(one, receipt);
        if (again && receipt.duplicate) sending.duplicates += 1;
      } catch {
        if (!again) sending.redelivered += 1;
        again = true;
        do await sleep(REDELIVER_MS);
        while (!sending.isUp);
      }
    }
  }
};

const countRuns = async (api: Api): Promise<number> => {
  let count = 0;
  for (let cursor: string | null | undefined = ""; cursor !== null && cursor !== undefined;) {
    const query: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page: { readonly items: readonly unknown[]; readonly next_cursor: string | null } = await api.get(
      `/v1/runs?limit=${RUNS_A_PAGE}${query}`,
    );
    count += page.items.length;
    cursor = page.next_cursor;
  }
  return count;
};

/** How many runs the list has, which may lag for a while. */
const listedRuns = async (api: Api, wanted: number): Promise<number> => {
  const deadline = Date.now() + LIST_PATIENCE_MS;
  let runs = await countRuns(api);
  for (; runs < wanted && Date.now() < deadline; runs = await countRuns(api)) await sleep(500);
  return runs;
};

const receiptFaults = (answers: ReadonlyMap<Delivery, Receipt>): readonly string[] => {
  const events = new Set([...answers.values()].map(({ event_id }) => event_id));
  return events.size === answers.size ? [] : [`${answers.size} deliveries have ${events.size} events`];
};

/** Kills a server in the middle of so many deliveries, starts it again, delivers the rest and looks at every run. */
export const playDeliveryRound = async (
  options: ServerOptions,
  { deliveries, kill_after }: { readonly deliveries: number; readonly kill_after: number },
): Promise<DeliveryRound> => {
  const secret = randomUUID();
  let server: ServerProcess = await startProcess(options);
  try {
    await register(server.api, secret);
    const all = Array.from({ length: deliveries }, () => delivery(secret));
    const sending: Sending = { all, answers: new Map(), next: 0, redelivered: 0, duplicates: 0, isUp: true };
    const begun = performance.now();
    const senders = Promise.all(
      Array.from({ length: SENDERS }, () => send(`${server.api.url}/hooks/${NAME}`, sending)),
    );
    while (sending.answers.size < kill_after) await sleep(1);
    const perSecond = sending.answers.size / ((performance.now() - begun) / 1_000);
    sending.isUp = false;
    await server.kill("tree");
    const before = sending.answers.size;
    server = await startProcess(options);
    sending.isUp = true;
    await senders;
    const acknowledged = [...sending.answers].map(([one, receipt]): Acknowledged => ({ delivery: one, receipt }));
    const { done_at_ms, faults } = await outcomeOf(server.api, acknowledged, PATIENCE_MS);
    const runs = await listedRuns(server.api, deliveries);
    return {
      deliveries,
      answered_before: before,
      redelivered: sending.redelivered,
      duplicates: sending.duplicates,
      deliveries_per_second: Math.round(perSecond),
      all_done_after_ready_ms: done_at_ms - server.ready_at_ms,
      faults: [
        ...faults,
        ...receiptFaults(sending.answers),
        ...(runs === deliveries ? [] : [`there are ${runs} runs of ${deliveries} deliveries`]),
      ],
    };
  } finally {
    await server.stop();
  }
};
