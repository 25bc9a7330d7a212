import { env } from "cloudflare:workers";
import { createExecutionContext, createMessageBatch, getQueueResult, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it, vi } from "vitest";
import worker from "../../src/index.ts";
import { clientFor, get, migrateDatabase, post, TWO_STAGES } from "./http-setup.ts";
import { mailbox, ringAlarm, tell } from "./mailbox-setup.ts";

beforeAll(migrateDatabase);

const startRun = async (workflowId: string): Promise<string> => {
  const run = await clientFor().createRun({ graph: { ...TWO_STAGES, id: workflowId }, task: "t", drive: "manual" });
  const isListed = async (): Promise<void> => {
    const { items } = await clientFor().listRuns({ workflow_id: workflowId });
    expect(items.map((item) => item.run_id)).toContain(run.run_id);
  };
  await vi.waitFor(isListed, { timeout: 10_000 });
  return run.run_id;
};

const statusOf = async (run: string): Promise<string> => (await clientFor().getRun(run)).status;

const becomes = (run: string, status: string): Promise<void> =>
  vi.waitFor(async () => expect(await statusOf(run)).toBe(status), { timeout: 10_000 });

const control = (workflowId: string, verb: "pause" | "resume" | "continue_as_new"): Promise<Response> =>
  post(`/v1/mailboxes/${workflowId}/${verb}`, undefined);

let count = 0;

const consume = async (bodies: readonly unknown[]) => {
  const messages = bodies.map((body) => ({ id: `c${(count += 1)}`, timestamp: new Date(0), attempts: 1, body }));
  const batch = createMessageBatch("godwit-control", messages);
  const ctx = createExecutionContext();
  await worker.queue(batch, env, ctx);
  return getQueueResult(batch, ctx);
};

const order = (workflowId: string, verb: "pause" | "resume") => ({
  v: 1,
  tenant: "default",
  workflow_id: workflowId,
  verb,
  at_ms: 0,
});

interface Inside {
  env: object;
}

/** Loses every message of the mailbox to the queue. */
const loseMessages = (id: string): Promise<void> =>
  runInDurableObject(mailbox(id), (object) => {
    const inside = object as unknown as Inside;
    inside.env = { ...inside.env, CONTROL_QUEUE: { sendBatch: () => Promise.resolve() } };
  });

describe("pausing a mailbox", () => {
  it("[W-19.15] pauses the workflow's runs and resumes them, and no others", async () => {
    const [one, two, ended, other] = [
      await startRun("fan"),
      await startRun("fan"),
      await startRun("fan"),
      await startRun("elsewhere"),
    ];
    await clientFor().cancelRun(ended);
    await control("fan", "pause");
    await becomes(one, "paused");
    await becomes(two, "paused");
    expect([await statusOf(ended), await statusOf(other)]).toEqual(["cancelled", "running"]);
    await control("fan", "resume");
    await becomes(one, "running");
    await becomes(two, "running");
    await vi.waitFor(async () => expect((await mailbox("fan").pauseState()).control_seq).toBeNull());
  }, 30_000);

  it("[W-19.15] resumes only runs that were paused through it", async () => {
    const [mine, theirs] = [await startRun("own"), await startRun("own")];
    await clientFor().pauseRun(theirs, "by hand");
    await control("own", "pause");
    await becomes(mine, "paused");
    await control("own", "resume");
    await becomes(mine, "running");
    expect(await statusOf(theirs)).toBe("paused");
  }, 30_000);

  it("[M6] brings runs to what the mailbox says now, whatever a late message says", async () => {
    const run = await startRun("late");
    await loseMessages("late");
    await tell("late", { type: "pause" });
    await tell("late", { type: "resume" });
    expect((await consume([order("late", "pause")])).explicitAcks).toHaveLength(1);
    expect(await statusOf(run)).toBe("running");
    await tell("late", { type: "pause" });
    await consume([order("late", "resume")]);
    expect(await statusOf(run)).toBe("paused");
    expect(await mailbox("late").pauseState()).toEqual({ paused: true, control_seq: null });
  }, 30_000);

  it("[M6] sends an order that was lost once more, at the latest when its alarm is due", async () => {
    const run = await startRun("lost");
    await loseMessages("lost");
    await tell("lost", { type: "pause" });
    expect((await mailbox("lost").pauseState()).control_seq).toBe(1);
    await ringAlarm("lost");
    expect(await statusOf(run)).toBe("running");
    const alarm = await runInDurableObject(mailbox("lost"), (_object, { storage }) => storage.getAlarm());
    expect(alarm ?? 0).toBeLessThanOrEqual(Date.now() + 30_000);
    await runInDurableObject(mailbox("lost"), async (object) => {
      (object as unknown as Inside).env = env;
      (object as unknown as { recover: () => void }).recover();
    });
    await becomes(run, "paused");
  }, 30_000);

  it("[M6] a message is kept until every run was told, and what is no message is let go", async () => {
    await tell("broken", { type: "continue_as_new" });
    expect((await consume([{ odd: true }, null])).explicitAcks).toHaveLength(2);
    await env.DB.prepare("ALTER TABLE runs RENAME TO runs_gone").run();
    const result = await consume([order("broken", "pause")]);
    await env.DB.prepare("ALTER TABLE runs_gone RENAME TO runs").run();
    expect(result).toMatchObject({ explicitAcks: [], retryMessages: [{}] });
    expect((await get("/v1/mailboxes/broken/status")).status).toBe(200);
  });
});
