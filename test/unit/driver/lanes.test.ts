import { describe, expect, it } from "vitest";
import { type DrivenRun, type DriveOutcome, driveRun } from "../../../src/driver/drive.ts";
import type { AdvanceReply } from "../../../src/engine/run/command.ts";
import type { StagePlan } from "../../../src/schema/plan.ts";

const plan = (node: string, timeout = 1_000): StagePlan =>
  ({ node_id: node, stage_id: `r:${node}:1`, attempt_token: `token ${node}`, timeout_ms: timeout }) as StagePlan;

const WAITING: AdvanceReply = { next: null, status: "running", waiting: "other_driver" };

type Request = Parameters<DrivenRun["advance"]>[0];

interface Lanes {
  readonly outcome: Promise<DriveOutcome>;
  readonly events: string[];
  /** Lets the stage `b` end. */
  readonly release: () => void;
}

/** A drive that begins with `a`, and starts `b` beside it, which ends when it is told to. */
const twoLanes = (completeA: () => AdvanceReply, b: StagePlan): Lanes => {
  const events: string[] = [];
  const { promise: isReleased, resolve: release } = Promise.withResolvers<void>();
  const answer = (request: Request): AdvanceReply => {
    const token = request.complete?.attempt_token;
    if (token === "token a") return completeA();
    if (token === "token b") return { next: null, status: "completed" };
    return { next: b, status: "running" };
  };
  const outcome = driveRun({
    run: () => ({
      advance: async (request) => ({ ok: true, reply: answer(request) }),
      renew: async () => ({ ok: true, reply: { lost: [], lease_expires_at_ms: 0 } }),
      recordStep: async () => ({ ok: true, reply: null }),
      showText: async () => false,
    }),
    executor: {
      execute: async ({ node_id }) => {
        events.push(`begins ${node_id}`);
        if (node_id === "b") await isReleased;
        events.push(`ends ${node_id}`);
        return { text: node_id };
      },
    },
    first: { next: plan("a"), status: "running", spare: 1 },
    now: () => 0,
    sleep: async () => {},
    every: () => () => void events.push("stops its signs of life"),
    deadline: 10_000,
  });
  return { outcome, events, release };
};

const fails = (): never => {
  throw new Error("fault");
};

describe("the lanes of a driver", () => {
  it("[architecture 3] go on with their leases when another one fails, and the fault comes out at the end", async () => {
    const { outcome, events, release } = twoLanes(fails, plan("b"));
    const settled = outcome.then(
      () => "done",
      (fault: unknown) => `failed: ${(fault as Error).message}`,
    );
    await new Promise((resolve) => setImmediate(resolve));
    expect(events).toEqual(["begins a", "ends a", "begins b"]);
    release();
    expect(await settled).toBe("failed: fault");
    expect(events.slice(-2)).toEqual(["ends b", "stops its signs of life"]);
  });

  it("[architecture 3] name what has to be handed over also when another one fails", async () => {
    const { outcome } = twoLanes(fails, plan("b", 20_000));
    expect(await outcome).toEqual({ type: "out_of_time", attempt_tokens: ["token b"] });
  });

  it("[architecture 3] give the outcome of the one that saw the end", async () => {
    const { outcome, release } = twoLanes(() => WAITING, plan("b"));
    release();
    expect(await outcome).toEqual({ type: "idle", status: "completed" });
  });
});
