import { describe, expect, it } from "vitest";
import type { RunUnsettled } from "../../../src/engine/run/unsettled.ts";
import { gatherUnsettled, type UnsettledPorts } from "../../../src/http/unsettled.ts";

const RUN: RunUnsettled = {
  run_id: "run_1",
  workflow_id: "wf",
  status: "completed",
  as_of_ms: 1_000,
  disposition: null,
  partial_handoffs: [],
  in_flight_llm_calls: [],
  jobs: [{ queue: "q", job_id: "j" }],
  worker_ids: ["worker_1", "worker_2"],
};

const JOB = {
  queue: "q",
  job_event_id: "j",
  event_id: "j",
  trigger_id: null,
  binding_key: null,
  provider: null,
  kind: "command",
  queued_at_ms: 500,
  claimed: true,
} as const;

const PORTS: UnsettledPorts = {
  run: async () => RUN,
  unsettledOfWorker: async () => null,
  job: async () => null,
  events: async () => [],
  poolTasks: async () => [],
};

const fails = (): Promise<never> => Promise.reject(new Error("reset"));

const never = new Promise<never>(() => {});

const gather = (ports: Partial<UnsettledPorts>, deadline: Promise<unknown> = never) =>
  gatherUnsettled({ ...PORTS, ...ports }, { deadline, now: () => 2_000 });

describe("a snapshot over several objects", () => {
  it("[L-31] with everybody settled it is empty, and says of when each part is", async () => {
    const snapshot = await gather({});
    expect(snapshot).toMatchObject({ is_empty: true, unknown: [], summary: "no unsettled work" });
    expect(snapshot?.as_of).toEqual({
      run: "1970-01-01T00:00:01.000Z",
      workers: "1970-01-01T00:00:02.000Z",
      queues: "1970-01-01T00:00:02.000Z",
      triggers: "1970-01-01T00:00:02.000Z",
      pools: "1970-01-01T00:00:02.000Z",
    });
    expect(await gather({ run: async () => null })).toBeNull();
  });

  it("[L-31] a worker that fails, is late or cannot say is unknown, not settled; the others are shown", async () => {
    const item = { handle: "worker_2", status: "suspended" };
    const ask = (first: () => Promise<null | "unknown">) =>
      gather(
        { unsettledOfWorker: (id) => (id === "worker_1" ? first() : Promise.resolve(item)) },
        Promise.resolve().then(() => new Promise((resolve) => setImmediate(resolve))),
      );
    for (const [first, reason] of [
      [() => Promise.reject(new Error("reset")), "it could not be reached"],
      [() => never, "it did not answer in time"],
      [() => Promise.resolve("unknown" as const), "it could not say"],
    ] as const) {
      const snapshot = await ask(first);
      expect(snapshot?.state.suspended_subagents).toEqual([item]);
      expect(snapshot?.unknown).toEqual([{ bucket: "suspended_subagents", id: "worker_1", reason }]);
    }
    const alone = await gather({ unsettledOfWorker: () => Promise.reject(new Error("reset")) });
    expect(alone).toMatchObject({ is_empty: false, counts: { suspended: 0 }, unknown: [{}, {}] });
  });

  it("[L-31] neither do silent queues, lists and pools pass for settled", async () => {
    const snapshot = await gather({ job: fails, events: fails, poolTasks: fails });
    expect(snapshot?.unknown.map(({ bucket, id }) => [bucket, id])).toEqual([
      ["queued_triggers", "worker://q/j"],
      ["queued_triggers", "triggers"],
      ["pool_pending_tasks", "pools"],
    ]);
  });

  it("[L-22.3] events and jobs are in one order", async () => {
    const event = { ...JOB, event_id: "e", trigger_id: "t", binding_key: "t@v1", provider: "github", kind: "push" };
    const snapshot = await gather({
      job: async () => JOB,
      events: async () => [
        { ...event, queued_at_ms: 1_500 },
        { ...event, event_id: "d", queued_at_ms: 500 },
      ],
      poolTasks: async () => [{ task_id: "task_1" }],
    });
    expect(snapshot?.state.queued_triggers).toMatchObject([
      { id: "trigger://t@v1/d", source: "trigger_inbox", spec_summary: "t: github.push", age_ms: 1_500 },
      { id: "worker://q/j", source: "worker_queue", claimed: true, spec_summary: "command" },
      { id: "trigger://t@v1/e" },
    ]);
    expect(snapshot?.counts).toMatchObject({ queued: 3, pool_pending: 1 });
  });
});
