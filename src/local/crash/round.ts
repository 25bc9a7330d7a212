import { randomBytes, randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../port.ts";
import { type DeliveryRound, playDeliveryRound } from "./delivery-round.ts";
import { playRunRound, type RunRound, STAGES } from "./run-round.ts";
import type { ServerOptions, Victim } from "./server-process.ts";
import { openTarget } from "./target.ts";
import { playWebhookRound, type WebhookRound } from "./webhook-round.ts";

/** Each stage of the run takes so long at least. */
const STAGE_MS = 8;

const inState = async <Result>(play: (state: string) => Promise<Result>): Promise<Result> => {
  const state = mkdtempSync(join(tmpdir(), "godwit-crash-"));
  try {
    return await play(state);
  } finally {
    rmSync(state, { recursive: true, force: true, maxRetries: 5 });
  }
};

const optionsFor = async (state: string, variables: ServerOptions["variables"]): Promise<ServerOptions> => ({
  state,
  // The same port before and after, as anybody would have it: whatever outlived the kill is in the way.
  port: await freePort("127.0.0.1"),
  key: `gwroot_${randomBytes(32).toString("base64url")}`,
  variables,
});

/** One round with a run, killed at a random moment between its 10th and its 90th stage. */
export const runRound = (victim: Victim): Promise<RunRound> =>
  inState(async (state) => {
    const target = await openTarget(STAGE_MS);
    try {
      const options = await optionsFor(state, { GODWIT_ALLOW_PRIVATE_HOSTS: target.host });
      const kill_after = randomInt(Math.floor(STAGES * 0.1), Math.floor(STAGES * 0.9));
      return await playRunRound({ options, target, victim, kill_after, then_ms: randomInt(2 * STAGE_MS) });
    } finally {
      await target.close();
    }
  });

/** One round with webhooks, killed after 0.3 to 1 s of deliveries. */
export const webhookRound = (): Promise<WebhookRound> =>
  inState(async (state) => playWebhookRound(await optionsFor(state, {}), randomInt(300, 1_000)));

/** One round with so many deliveries, killed when 30 to 70 of a hundred have been answered. */
export const deliveryRound = (deliveries: number): Promise<DeliveryRound> =>
  inState(async (state) => {
    const kill_after = randomInt(Math.floor(deliveries * 0.3), Math.ceil(deliveries * 0.7) + 1);
    return playDeliveryRound(await optionsFor(state, {}), { deliveries, kill_after });
  });
