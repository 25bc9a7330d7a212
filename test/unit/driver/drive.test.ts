import { describe, expect, it } from "vitest";
import { type DrivenRun, driveRun } from "../../../src/driver/drive.ts";
import { prepareHeartbeat } from "../../../src/driver/heartbeat.ts";
import { holdStub, withFreshStub } from "../../../src/driver/retry.ts";
import type { AdvanceReply } from "../../../src/engine/run/command.ts";
import type { StagePlan } from "../../../src/schema/plan.ts";

const plan = (node: string, timeout = 1_000): StagePlan =>
  ({ node_id: node, stage_id: `r:${node}:1`, attempt_token: `token ${node}`, timeout_ms: timeout }) as StagePlan;

const next = (node: string, timeout?: number): AdvanceReply => ({ next: plan(node, timeout), status: "running" });
const idle: AdvanceReply = { next: null, status: "completed" };

type Requests = Parameters<DrivenRun["advance"]>[0][];

/** A run that gives these answers in turn, and the clock of its driver. */
const drivenBy = (
  answers: readonly (AdvanceReply | Error)[],
  more: { deadline?: number; adopt?: string; first?: AdvanceReply } = {},
) => {
  const requests: Requests = [];
  const slept: number[] = [];
  const executed: string[] = [];
  let stubs = 0;
  let now = 0;
  const outcome = driveRun({
    run: () => {
      stubs += 1;
      return {
        advance: async (request) => {
          const answer = answers[requests.length] ?? idle;
          requests.push(request);
          if (answer instanceof Error) throw answer;
          return { ok: true, reply: answer };
        },
        renew: async () => ({ ok: true, reply: { lost: [], lease_expires_at_ms: 0 } }),
        recordStep: async () => ({ ok: true, reply: null }),
        showText: async () => false,
      };
    },
    executor: {
      execute: async ({ node_id }) => {
        executed.push(node_id);
        return { text: node_id };
      },
    },
    now: () => now,
    sleep: async (ms) => {
      slept.push(ms);
      now += ms;
    },
    every: () => () => {},
    deadline: 10_000,
    ...more,
  });
  return { outcome, requests, slept, executed, stubs: () => stubs };
};

const fault = (facts: object): Error => Object.assign(new Error("fault"), facts);

const waiting = (at: number): AdvanceReply => ({
  next: null,
  status: "running",
  waiting: "retry",
  retry_at: new Date(at).toISOString(),
});

const calling = async (facts: object, times: number): Promise<{ calls: number; slept: number[]; failed: boolean }> => {
  let calls = 0;
  const slept: number[] = [];
  const call = withFreshStub(
    { stub: holdStub(() => ({}) as DrivenRun), sleep: async (ms) => void slept.push(ms) },
    async () => {
      calls += 1;
      if (calls <= times) throw fault(facts);
    },
  );
  const failed = await call.then(
    () => false,
    () => true,
  );
  return { calls, slept, failed };
};

describe("driveRun", () => {
  it("[architecture 3] executes each plan and hands its result back in the step that asks for the next", async () => {
    const drive = drivenBy([next("a"), next("b"), idle]);
    expect(await drive.outcome).toEqual({ type: "idle", status: "completed" });
    expect(drive.executed).toEqual(["a", "b"]);
    expect(drive.requests).toEqual([
      {},
      { complete: { attempt_token: "token a", result: { text: "a" } } },
      { complete: { attempt_token: "token b", result: { text: "b" } } },
    ]);
    expect(drive.stubs()).toBe(1);
  });

  it("[architecture 3] starts with the step it was given, or adopts the attempt it was handed", async () => {
    const given = drivenBy([idle], { first: next("a") });
    await given.outcome;
    expect(given.requests).toEqual([{ complete: { attempt_token: "token a", result: { text: "a" } } }]);
    const adopting = drivenBy([idle], { adopt: "token x" });
    await adopting.outcome;
    expect(adopting.requests).toEqual([{ adopt: "token x" }]);
  });

  it("[architecture 3] does not start a stage that may not end in time, and names its attempt", async () => {
    const drive = drivenBy([next("a"), next("slow", 20_000)]);
    expect(await drive.outcome).toEqual({ type: "out_of_time", attempt_tokens: ["token slow"] });
    expect(drive.executed).toEqual(["a"]);
  });

  it("[architecture 3] asks again at once when static nodes were too many for one commit", async () => {
    const drive = drivenBy([{ next: null, status: "running", more: true }, idle]);
    await drive.outcome;
    expect(drive.requests).toEqual([{}, {}]);
  });

  it("[W-6.9] waits for a retry that is near, and leaves a later one to the alarm", async () => {
    const near = drivenBy([waiting(1_500), idle]);
    expect(await near.outcome).toEqual({ type: "idle", status: "completed" });
    expect(near.slept).toEqual([1_500]);
    const late = drivenBy([waiting(5_000)]);
    expect(await late.outcome).toEqual({ type: "waiting", for: "retry" });
    expect(late.slept).toEqual([]);
  });

  it("[W-6.9] does not ask without a pause when the run's clock is behind its own", async () => {
    const due: AdvanceReply = { next: null, status: "running", waiting: "retry", retry_at: new Date(0).toISOString() };
    const drive = drivenBy([due, due, due, idle]);
    await drive.outcome;
    expect(Math.min(...drive.slept)).toBeGreaterThan(0);
  });

  it("[architecture 3] stops when the run refuses its completion", async () => {
    const outcome = await driveRun({
      run: () => ({
        advance: async ({ complete }) =>
          complete === undefined
            ? { ok: true, reply: next("a") }
            : { ok: false, rejection: { code: "stale_attempt", detail: "too late" } },
        renew: async () => ({ ok: true, reply: { lost: [], lease_expires_at_ms: 0 } }),
        recordStep: async () => ({ ok: true, reply: null }),
        showText: async () => false,
      }),
      executor: { execute: async () => ({}) },
      now: () => 0,
      sleep: async () => {},
      every: () => () => {},
      deadline: 10_000,
    });
    expect(outcome).toEqual({ type: "refused", rejection: { code: "stale_attempt", detail: "too late" } });
  });

  it("[architecture 6] takes a new stub after a reset and repeats the same call", async () => {
    const drive = drivenBy([next("a"), fault({ retryable: true, durableObjectReset: true }), idle]);
    expect(await drive.outcome).toEqual({ type: "idle", status: "completed" });
    expect(drive.executed).toEqual(["a"]);
    expect(drive.requests[1]).toEqual(drive.requests[2]);
    expect(drive.stubs()).toBe(2);
  });
});

describe("withFreshStub", () => {
  it("[architecture 6] tries a passing fault again, ever later, and gives up after five calls", async () => {
    expect(await calling({ retryable: true }, 2)).toEqual({ calls: 3, slept: [20, 100], failed: false });
    expect(await calling({ durableObjectReset: true }, 9)).toMatchObject({ calls: 5, failed: true });
  });

  it("[architecture 6] does not try again what the platform does not call passing, or what it is overloaded by", async () => {
    expect(await calling({}, 1)).toMatchObject({ calls: 1, failed: true });
    expect(await calling({ retryable: true, overloaded: true }, 1)).toMatchObject({ calls: 1, failed: true });
  });
});

describe("a heartbeat", () => {
  interface Renewal {
    readonly tokens: readonly string[];
    readonly answer: (isWanted: boolean) => Promise<void>;
  }

  const beating = () => {
    const renewals: Renewal[] = [];
    const beats: (() => void)[] = [];
    let stopped = 0;
    const run = {
      renew: (tokens: readonly string[]) =>
        new Promise((resolve) => {
          renewals.push({
            tokens,
            answer: async (isWanted) => {
              resolve({ ok: true, reply: { lost: isWanted ? [] : tokens, lease_expires_at_ms: 0 } });
              await new Promise((done) => setImmediate(done));
            },
          });
        }),
    } as unknown as DrivenRun;
    const heartbeat = prepareHeartbeat({ stub: holdStub(() => run), sleep: async () => {} }, (_ms, task) => {
      beats.push(task);
      return () => {
        stopped += 1;
      };
    });
    return { heartbeat, renewals, beat: () => beats[0]?.(), stopped: () => stopped };
  };

  it("[architecture 3] renews the attempt under way and aborts it when the run does not want it any more", async () => {
    const { heartbeat, renewals, beat, stopped } = beating();
    heartbeat.start();
    heartbeat.start();
    beat();
    expect(renewals).toEqual([]);
    const signal = heartbeat.keep("one");
    beat();
    await renewals[0]?.answer(true);
    expect(signal.aborted).toBe(false);
    beat();
    await renewals[1]?.answer(false);
    expect(renewals.map(({ tokens }) => tokens)).toEqual([["one"], ["one"]]);
    expect(signal.aborted).toBe(true);
    heartbeat.stop();
    expect(stopped()).toBe(1);
  });

  it("[I6] a refusal for the attempt before never stops the one under way", async () => {
    const { heartbeat, renewals, beat } = beating();
    heartbeat.start();
    heartbeat.keep("one");
    beat();
    heartbeat.release("one");
    const second = heartbeat.keep("two");
    await renewals[0]?.answer(false);
    expect(second.aborted).toBe(false);
  });

  it("[architecture 3] an attempt that follows an aborted one starts afresh", async () => {
    const { heartbeat, renewals, beat } = beating();
    heartbeat.start();
    const first = heartbeat.keep("one");
    beat();
    await renewals[0]?.answer(false);
    expect(first.aborted).toBe(true);
    heartbeat.release("one");
    expect(heartbeat.keep("two").aborted).toBe(false);
  });

  it("[architecture 3] renews all attempts with one call, and aborts only those that are lost", async () => {
    const { heartbeat, renewals, beat } = beating();
    heartbeat.start();
    const signals = ["one", "two", "three"].map((token) => heartbeat.keep(token));
    beat();
    expect(renewals.map(({ tokens }) => tokens)).toEqual([["one", "two", "three"]]);
    heartbeat.abandon(["two"]);
    expect(signals.map((signal) => signal.aborted)).toEqual([false, true, false]);
  });
});
