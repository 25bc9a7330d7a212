import { env } from "cloudflare:workers";
import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import worker from "../../src/index.ts";
import { clientFor, migrateDatabase } from "./http-setup.ts";

beforeAll(migrateDatabase);

interface Sent {
  readonly seq: number;
  readonly status: string;
  readonly second: number;
}

const message = (runId: string, { seq, status, second }: Sent) => ({
  v: 1,
  seq,
  tenant: "default",
  run: {
    run_id: runId,
    workflow_id: "w",
    workflow_name: null,
    trigger_id: null,
    status,
    task: "t",
    stage_count: 0,
    total_cost: 0,
    error: null,
    created_at: "2026-01-01T00:00:00.000Z",
    updated_at: `2026-01-01T00:00:0${second}.000Z`,
  },
});

let count = 0;

const deliver = async (queue: string, bodies: readonly unknown[]) => {
  const messages = bodies.map((body) => ({ id: `m${(count += 1)}`, timestamp: new Date(0), attempts: 1, body }));
  const batch = createMessageBatch(queue, messages);
  const ctx = createExecutionContext();
  await worker.queue(batch, env, ctx);
  return getQueueResult(batch, ctx);
};

const statusOf = async (runId: string): Promise<string | undefined> =>
  (await clientFor().listRuns({ q: runId })).items[0]?.status;

describe("the index consumer", () => {
  const created = { seq: 1, status: "running", second: 1 };
  const paused = { seq: 2, status: "paused", second: 2 };
  const ended = { seq: 3, status: "completed", second: 3 };

  it("[I5] shows the newest row, in whatever order the messages come and however often", async () => {
    const orders = [
      [created, paused, ended],
      [ended, paused, created],
      [paused, ended, created, ended, created],
    ];
    for (const [index, order] of orders.entries()) {
      const together = `together-${index}`;
      await deliver(
        "godwit-index",
        order.map((sent) => message(together, sent)),
      );
      expect(await statusOf(together)).toBe("completed");
      const apart = `apart-${index}`;
      for (const sent of order) await deliver("godwit-index", [message(apart, sent)]);
      expect(await statusOf(apart)).toBe("completed");
    }
  });

  it("[I6] never replaces the end of a run by a row of the same moment", async () => {
    const rows = [
      { ...ended, seq: 1, second: 1 },
      { ...created, seq: 1, second: 1 },
    ];
    await deliver(
      "godwit-index",
      rows.map((sent) => message("same", sent)),
    );
    expect(await statusOf("same")).toBe("completed");
    await deliver("godwit-index", rows.map((sent) => message("same-reversed", sent)).toReversed());
    expect(await statusOf("same-reversed")).toBe("completed");
  });

  it("[api] acknowledges what is no index message and stores its neighbours", async () => {
    const result = await deliver("godwit-index", [{ odd: true }, message("neighbour", created), null]);
    expect(result.explicitAcks).toHaveLength(3);
    expect(await statusOf("neighbour")).toBe("running");
  });

  it("[api] asks for the messages again while the database does not answer", async () => {
    await env.DB.prepare("ALTER TABLE runs RENAME TO runs_gone").run();
    const result = await deliver("godwit-index", [message("later", created)]);
    await env.DB.prepare("ALTER TABLE runs_gone RENAME TO runs").run();
    expect(result).toMatchObject({ explicitAcks: [], retryMessages: [{}] });
  });
});

describe("the other queues", () => {
  it("[api] acknowledges dead letters and drive messages, and keeps messages of a queue it does not know", async () => {
    for (const queue of [
      "godwit-drive-dead",
      "godwit-dispatch-dead",
      "godwit-index-dead",
      "godwit-control-dead",
      "godwit-tasks-dead",
    ])
      expect((await deliver(queue, [{ any: "thing" }])).explicitAcks).toHaveLength(1);
    const drive = await deliver("godwit-drive", [{ v: 1, tenant: "default", run_id: "nobody" }, "odd"]);
    expect(drive.explicitAcks).toHaveLength(2);
    expect((await deliver("godwit-else", [{}])).retryBatch).toMatchObject({ retry: true });
  });
});
