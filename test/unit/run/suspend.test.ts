import { describe, expect, it } from "vitest";
import { drainOutbox } from "../../../durable-objects/shell/drain.ts";
import { stepAnswer } from "../../../src/engine/run/answers.ts";
import type { RunCommand, RunEffect } from "../../../src/engine/run/command.ts";
import type { Run } from "../../../src/engine/run/state.ts";
import { restedCycle } from "../../../src/engine/run/suspend.ts";
import { nextWake } from "../../../src/engine/run/wake.ts";
import { accepted, refusal, type RunShell } from "../../support/run-fixture.ts";
import { advance, planIn, runOf, runOfNode, takeAll } from "../../support/run-steps.ts";

const OF = { worker_id: "worker_1", cycle: 1 } as const;

const suspend = (cycle = OF.cycle as number): RunCommand => ({
  type: "pause_run",
  suspend: true,
  cycle: { worker_id: "worker_1", cycle },
});

const record = (attempt_token: string, number: number): RunCommand => ({
  type: "record_step",
  attempt_token,
  number,
  step: { iteration: 1, messages: [{ role: "assistant", content: `step ${number}` }] },
});

const started = () => {
  const fixture = runOfNode({ kind: "stage", mode: "agent", prompt: "Work" }, { report_to: OF });
  const plan = planIn(advance(fixture.shell));
  const reports = async (): Promise<readonly RunEffect[]> => {
    const found: RunEffect[] = [];
    const take = async (effect: RunEffect): Promise<void> => {
      if (effect.type === "report_rest" || effect.type === "report_end") found.push(effect);
    };
    await drainOutbox(fixture.store, take, () => fixture.clock.now, raise);
    return found;
  };
  return { ...fixture, plan, reports };
};

const raise = (error: unknown): never => {
  throw error;
};

const stateOf = (shell: RunShell): Run => {
  if (shell.state === null) throw new Error("there is no run");
  return shell.state;
};

describe("a run that is suspended for its worker", () => {
  it("[L-17.2] lets the step under way be recorded, ends the attempt behind it, and is at rest then", async () => {
    const { shell, plan, reports } = started();
    accepted(shell, record(plan.attempt_token, 0));
    accepted(shell, suspend());
    expect(await reports()).toEqual([]);
    const answer = shell.execute(record(plan.attempt_token, 1));
    expect(answer).toMatchObject({ ok: true, reply: { type: "step", goes_on: false } });
    expect(stepAnswer(answer)).toMatchObject({ ok: false, rejection: { code: "stale_attempt" } });
    expect(await reports()).toEqual([{ type: "report_rest", to: OF }]);
    expect(stateOf(shell).open[0]).toMatchObject({ ended_attempts: [{ outcome: "suspended", status: "completed" }] });
    expect(refusal(shell, record(plan.attempt_token, 2))).toMatchObject({ code: "stale_attempt" });
  });

  it("[L-17.5] goes on behind its last step in another attempt, for the next cycle, with what is said to it", () => {
    const { shell, plan } = started();
    accepted(shell, suspend());
    accepted(shell, record(plan.attempt_token, 0));
    const resume: RunCommand = {
      type: "resume_run",
      cycle: { worker_id: "worker_1", cycle: 2 },
      task: "hurry",
      speech: [{ role: "user", content: "hurry" }],
    };
    accepted(shell, resume);
    const seq = shell.seq;
    accepted(shell, resume);
    expect(shell.seq).toBe(seq);
    expect(stateOf(shell)).toMatchObject({
      status: "running",
      task: "hurry",
      report_to: { cycle: 2 },
      suspended: false,
    });
    const next = planIn(advance(shell));
    expect(next).toMatchObject({ attempt: 2, progress: { steps: 1 } });
    expect(next.session?.messages.map((message) => (message as { content: string }).content)).toEqual([
      "step 0",
      "hurry",
    ]);
  });

  it("[L-17.5] begins with the digest where the conversation does not go on", () => {
    const { shell, plan } = started();
    accepted(shell, suspend());
    accepted(shell, record(plan.attempt_token, 0));
    accepted(shell, { type: "resume_run", cycle: { ...OF, cycle: 2 }, digest: "what was", speech: [] });
    expect(planIn(advance(shell)).session?.messages).toEqual([{ role: "user", content: "what was" }]);
  });

  it("[L-32.4] is at rest when the lease of a lost driver ends, and wakes up for that", async () => {
    const { shell, clock, reports } = started();
    accepted(shell, suspend());
    const until = clock.now + 10_000;
    expect(nextWake(shell.state, () => until, clock.now)).toBe(until);
    clock.now = until;
    accepted(shell, { type: "wake", live_attempts: [] });
    expect(await reports()).toEqual([{ type: "report_rest", to: OF }]);
    expect(nextWake(shell.state, () => until, clock.now)).toBe(null);
  });

  it("[L-32.4] is at rest when an attempt was on its way to another driver", async () => {
    const { shell, plan, reports } = started();
    accepted(shell, suspend());
    accepted(shell, { type: "advance", adopt: plan.attempt_token, live_attempts: [plan.attempt_token] });
    expect(await reports()).toEqual([{ type: "report_rest", to: OF }]);
  });

  it("[L-32.2] is not paused any more for a cycle before the present one", () => {
    const { shell, plan } = started();
    accepted(shell, suspend());
    accepted(shell, record(plan.attempt_token, 0));
    accepted(shell, { type: "resume_run", cycle: { ...OF, cycle: 2 } });
    accepted(shell, suspend(1));
    expect(stateOf(shell)).toMatchObject({ status: "running", report_to: { cycle: 2 } });
  });

  it("[L-32.2] is not resumed for a cycle that was suspended since, and tells that cycle of its rest", async () => {
    const { shell, plan, reports } = started();
    accepted(shell, suspend());
    accepted(shell, record(plan.attempt_token, 0));
    await reports();
    accepted(shell, suspend(2));
    expect(await reports()).toEqual([{ type: "report_rest", to: { ...OF, cycle: 2 } }]);
    accepted(shell, { type: "resume_run", cycle: { ...OF, cycle: 2 } });
    expect(stateOf(shell).status).toBe("paused");
  });

  it("[L-9] reports its end once, also one that used up its steps", async () => {
    const { shell, plan, reports } = started();
    accepted(shell, suspend());
    accepted(shell, { type: "cancel_run", reason: "enough" });
    expect(await reports()).toEqual([{ type: "report_end", to: OF, end: { status: "cancelled", error: null } }]);
    expect(refusal(shell, record(plan.attempt_token, 0))).toMatchObject({ code: "stale_attempt" });
  });
});

describe("a run whose agent parks its worker", () => {
  const asked = {
    reason: "needs a key",
    conditions: { timeout: { duration_minutes: 5, on_timeout: "fail" } },
  } as const;
  const asking = (attempt_token: string, number: number): RunCommand => ({
    type: "record_step",
    attempt_token,
    number,
    step: { iteration: 1, messages: [{ role: "tool_result", content: "{}" }], suspend: asked },
  });

  it("[L-17.7] tells the agent so in its plan, and nobody else", () => {
    expect(started().plan).toMatchObject({ worker_id: "worker_1" });
    const alone = runOfNode({ kind: "stage", mode: "agent", prompt: "Work" });
    expect(planIn(advance(alone.shell))).not.toHaveProperty("worker_id");
  });

  it("[L-17.7] suspends itself with the step, and tells the worker why when it is at rest", async () => {
    const { shell, plan, reports } = started();
    accepted(shell, record(plan.attempt_token, 0));
    expect(accepted(shell, asking(plan.attempt_token, 1))).toMatchObject({ goes_on: false });
    expect(stateOf(shell)).toMatchObject({ status: "paused", suspended: true, asked });
    expect(await reports()).toEqual([{ type: "report_rest", to: OF, asked }]);
    expect(refusal(shell, asking(plan.attempt_token, 1))).toMatchObject({ code: "stale_attempt" });
    accepted(shell, suspend());
    accepted(shell, { type: "wake", live_attempts: [] });
    expect(await reports()).toEqual([]);
  });

  it("[L-17.5] goes on behind the step in the next cycle, and has nothing to ask any more", async () => {
    const { shell, plan, reports } = started();
    accepted(shell, asking(plan.attempt_token, 0));
    accepted(shell, { type: "resume_run", cycle: { ...OF, cycle: 2 }, speech: [{ role: "user", content: "k" }] });
    await reports();
    expect(stateOf(shell)).toMatchObject({ status: "running", asked: null });
    const next = planIn(advance(shell));
    expect(next).toMatchObject({ attempt: 2, progress: { steps: 1 } });
    accepted(shell, suspend(2));
    accepted(shell, record(next.attempt_token, 1));
    expect(await reports()).toEqual([{ type: "report_rest", to: { ...OF, cycle: 2 } }]);
  });

  it("[L-17.2] stays suspended for the reason it was", async () => {
    const { shell, plan, reports } = started();
    accepted(shell, suspend());
    accepted(shell, asking(plan.attempt_token, 0));
    expect(await reports()).toEqual([{ type: "report_rest", to: OF }]);
  });

  it("[L-17.7] is suspended only where it is the cycle of a worker", () => {
    const { shell } = runOfNode({ kind: "stage", mode: "agent", prompt: "Work" });
    const plan = planIn(advance(shell));
    expect(accepted(shell, asking(plan.attempt_token, 0))).toMatchObject({ goes_on: true });
    expect(stateOf(shell).status).toBe("running");
  });

  it("[L-32.4] tells of it only when the other stages have come to rest too", async () => {
    const node = { kind: "stage", mode: "agent", prompt: "Work" };
    const graph = {
      entry: "f",
      nodes: { f: { kind: "fork" }, a: node, b: node },
      edges: [
        { from: "f", to: "a" },
        { from: "f", to: "b" },
      ],
    };
    const { shell } = runOf(graph, { report_to: OF, options: { max_parallel: 2 } as never });
    const [a, b] = takeAll(shell);
    accepted(shell, asking(a?.attempt_token ?? "", 0));
    expect(shell.state?.status).toBe("paused");
    expect(restedCycle(stateOf(shell))).toBe(null);
    expect(accepted(shell, record(b?.attempt_token ?? "", 0))).toMatchObject({ goes_on: false });
    expect(restedCycle(stateOf(shell))).toBe(1);
  });
});
