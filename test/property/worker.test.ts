import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fold } from "../../src/engine/machine.ts";
import type { WorkerCommand, WorkerEffect } from "../../src/engine/worker/command.ts";
import { workerMachine } from "../../src/engine/worker/machine.ts";
import { nextWorkerWake } from "../../src/engine/worker/resume.ts";
import type { ResumeConditions } from "../../src/engine/worker/state.ts";
import { isTerminal, liveRun } from "../../src/engine/worker/status.ts";
import { PARENT, resumeOf, spawnOf, WorkerFixture, went } from "../support/worker-fixture.ts";

type Order = Extract<WorkerEffect, { readonly type: "start_cycle" | "resume_run" | "pause_run" }>;

type Step =
  | { readonly do: "tell"; readonly command: WorkerCommand }
  /** An order that was given is carried out, perhaps again. */
  | { readonly do: "perform"; readonly which: number }
  /** A run that exists ends. */
  | { readonly do: "end"; readonly which: number; readonly how: "ok" | "failed" | "cancelled" }
  /** The agent of a run that goes on parks the worker. */
  | { readonly do: "park"; readonly which: number; readonly conditions: ResumeConditions | null }
  /** A report of any cycle comes in, perhaps for the second time. */
  | { readonly do: "repeat"; readonly back: number; readonly kind: "began" | "ended" | "paused" }
  | { readonly do: "wait"; readonly minutes: number };

const timeout = fc.record({
  duration_minutes: fc.constantFrom(1, 3),
  on_timeout: fc.constantFrom("fail" as const, "resume_with_summary" as const, "resume_with_input" as const),
});

const conditions: fc.Arbitrary<ResumeConditions | null> = fc.option(
  fc.record({ trigger: fc.constant({ kind: "webhook" }), timeout, on_event: fc.constant("go") }, { requiredKeys: [] }),
);

const suspend = fc.record({
  type: fc.constant("suspend" as const),
  reason: fc.constantFrom("", "why"),
  initiator: fc.constantFrom("self" as const, "operator" as const),
  conditions,
});

const resume = fc
  .record({
    input: fc.constantFrom(null, "more", " "),
    continue_transcript: fc.boolean(),
    initiator: fc.constantFrom("operator" as const, "parent" as const, "triggered" as const),
  })
  .map(resumeOf);

const command: fc.Arbitrary<WorkerCommand> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ type: "send_input", task: "next" } as const) },
  { weight: 5, arbitrary: fc.constant({ type: "trigger", payload: { n: 1 } } as const) },
  { weight: 1, arbitrary: fc.constant({ type: "close" } as const) },
  {
    weight: 1,
    arbitrary: fc.boolean().map((graceful) => ({ type: "stop", graceful, reason: "r", children: [] }) as const),
  },
  { weight: 5, arbitrary: suspend },
  { weight: 1, arbitrary: suspend.map((told) => ({ ...told, panic: true }) as const) },
  { weight: 5, arbitrary: resume },
  { weight: 1, arbitrary: fc.constant({ type: "adopt_child", worker_id: "worker_2" } as const) },
);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: command.map((told) => ({ do: "tell", command: told }) as const) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("perform" as const), which: fc.nat(9) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("end" as const),
      which: fc.nat(9),
      how: fc.constantFrom("ok" as const, "ok" as const, "failed" as const, "cancelled" as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("park" as const), which: fc.nat(9), conditions }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("repeat" as const),
      back: fc.nat(3),
      kind: fc.constantFrom("began" as const, "ended" as const, "paused" as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), minutes: fc.constantFrom(0, 1, 2) }) },
);

const start = fc.oneof(
  fc
    .record({
      retriggerable: fc.constantFrom(true, true, false),
      transcript_mode: fc.constantFrom("inherit", "fork", "reset", "compact"),
    })
    .map((carry_policy) => spawnOf({ carry_policy, parent: PARENT })),
  conditions.map((given) => spawnOf({ parent: PARENT, ...(given === null ? {} : { resume_when: given }) })),
  conditions.map((given) => {
    const { worker } = WorkerFixture.parked({ conditions: given });
    return { type: "restore", worker, input: null, continue_transcript: true } as const;
  }),
);

const result = (how: "ok" | "failed" | "cancelled") =>
  how === "ok" ? went("a") : ({ ok: false, cancelled: how === "cancelled", error: how } as const);

const COVERED = new Set<string>();

/** A worker among runs that begin, pause and end whenever they like, and orders that are carried out late and twice. */
class Walk {
  readonly box = new WorkerFixture();
  readonly orders: Order[] = [];
  readonly cancelled = new Set<string>();
  readonly listening = new Set<string>();
  /** The runs that go on, each with the cycle it believes to be in. */
  readonly runs = new Map<string, number>();
  readonly ended = new Set<string>();
  reports = 0;
  wasOver = false;

  tell(told: WorkerCommand): void {
    const before = this.box.state;
    const decision = workerMachine.decide(before, told, { now: this.box.now, nextId: () => "probe" });
    if (!decision.ok) return;
    this.box.tell(told);
    this.#check(before, told);
  }

  take(taken: Step): void {
    switch (taken.do) {
      case "tell":
        this.tell(taken.command);
        break;
      case "perform": {
        const order = this.orders[taken.which % Math.max(1, this.orders.length)];
        if (order !== undefined) this.perform(order);
        break;
      }
      case "end": {
        const run = [...this.runs.keys()][taken.which % Math.max(1, this.runs.size)];
        if (run !== undefined) this.end(run, taken.how);
        break;
      }
      case "park": {
        const run = [...this.runs.keys()][taken.which % Math.max(1, this.runs.size)];
        if (run !== undefined) this.park(run, taken.conditions);
        break;
      }
      case "repeat":
        this.#repeat(taken);
        break;
      case "wait": {
        this.box.now += taken.minutes * 60_000;
        const due = nextWorkerWake(this.box.state, this.box.now);
        if (due !== null && due <= this.box.now) this.tell({ type: "wake" });
      }
    }
  }

  perform(order: Order): void {
    if (order.type === "pause_run") {
      if (this.runs.get(order.run_id) === order.cycle)
        this.tell({ type: "cycle_paused", cycle: order.cycle, turn: 1, transcript: null });
      return;
    }
    const run = order.type === "start_cycle" ? `run_${order.cycle}` : order.run_id;
    if (this.ended.has(run)) {
      // A run that has ended meanwhile says so to the cycle that wanted it back.
      if (order.type === "resume_run")
        this.tell({ type: "cycle_ended", cycle: order.cycle, result: result("cancelled") });
      return;
    }
    this.runs.set(run, Math.max(order.cycle, this.runs.get(run) ?? 0));
    this.tell({ type: "cycle_began", cycle: order.cycle, run_id: run });
  }

  park(run_id: string, given: ResumeConditions | null): void {
    const cycle = this.runs.get(run_id) ?? 0;
    const asked = { run_id, reason: "", conditions: given };
    this.tell({ type: "cycle_paused", cycle, turn: 1, transcript: null, asked });
  }

  end(run: string, how: "ok" | "failed" | "cancelled"): void {
    const cycle = this.runs.get(run) ?? 0;
    this.runs.delete(run);
    this.ended.add(run);
    this.tell({ type: "cycle_ended", cycle, result: result(how) });
  }

  #repeat({ back, kind }: Extract<Step, { readonly do: "repeat" }>): void {
    const cycle = this.box.worker.cycle - 1 - back;
    if (cycle < 1) return;
    if (kind === "ended") this.tell({ type: "cycle_ended", cycle, result: result("ok") });
    else if (kind === "paused") this.tell({ type: "cycle_paused", cycle, turn: 9, transcript: "stale" });
    else if (this.runs.has(`run_${cycle}`)) this.tell({ type: "cycle_began", cycle, run_id: `run_${cycle}` });
  }

  #obey(effect: WorkerEffect): void {
    switch (effect.type) {
      case "start_cycle":
      case "resume_run":
      case "pause_run":
        this.orders.push(effect);
        break;
      case "cancel_run":
        this.cancelled.add(effect.run_id);
        break;
      case "listen":
        this.listening.add(effect.trigger_id);
        break;
      case "unlisten":
        this.listening.delete(effect.trigger_id);
        break;
      case "report":
        this.reports += 1;
        break;
      case "close_child":
      case "index_worker":
        break;
    }
  }

  #check(before: WorkerFixture["state"], told: WorkerCommand): void {
    const { box } = this;
    const { worker } = box;
    for (const effect of box.takeEffects()) this.#obey(effect);
    COVERED.add(`${before?.status ?? "none"} ${told.type} ${worker.status}`);
    expect(box.decided).toEqual(worker);
    if (before !== null && isTerminal(before.status) && !isTerminal(worker.status))
      expect(told.type).toBe("send_input");
    if ("cycle" in told && told.cycle !== before?.cycle) expect(worker).toEqual(before);
    if (worker.status === "running")
      expect(this.orders).toContainEqual(expect.objectContaining({ cycle: worker.cycle }));
    this.#checkSuspension();
    // A run that goes on is the worker's, or was told to end.
    for (const run of this.runs.keys()) expect(liveRun(worker) === run || this.cancelled.has(run)).toBe(true);
    this.wasOver ||= isTerminal(worker.status) && worker.parent !== null;
    expect(this.reports).toBe(this.wasOver ? 1 : 0);
  }

  #checkSuspension(): void {
    const { status, suspension, resume_at_ms: due, run } = this.box.worker;
    expect(suspension !== null).toBe(status === "suspended");
    const given = suspension?.conditions ?? {};
    expect(due !== null).toBe(given.timeout !== undefined);
    const listens = given.trigger !== undefined || given.on_event !== undefined;
    expect(suspension?.auto_resume_trigger != null).toBe(listens);
    expect([...this.listening]).toEqual(
      suspension?.auto_resume_trigger == null ? [] : [suspension.auto_resume_trigger.id],
    );
    if (status === "running") expect(run?.paused ?? false).toBe(false);
  }

  /** Everything that was ordered is done, and every run ends. */
  settle(): void {
    // The list grows while it is gone through: a run that begins may be told to pause.
    for (const order of this.orders) this.perform(order);
    for (const run of this.runs.keys()) this.end(run, "ok");
  }
}

describe("a worker", () => {
  it("[L-32] keeps its invariants whatever it is told and in whatever order", () => {
    fc.assert(
      fc.property(start, fc.array(step, { maxLength: 40, size: "max" }), (first, steps) => {
        const walk = new Walk();
        walk.tell(first);
        for (const taken of steps) walk.take(taken);
        walk.settle();
        const { box } = walk;
        expect(fold(workerMachine, null, box.events)).toEqual(box.state);
        expect(box.worker.status).not.toBe("running");
        if (box.worker.suspension !== null) expect(box.worker.suspension.quiesced_at).not.toBe(null);
      }),
      { numRuns: 800 },
    );
    for (const met of [
      "none spawn running",
      "none spawn suspended",
      "none restore suspended",
      "running cycle_ended awaiting",
      "awaiting trigger running",
      "suspended cycle_ended suspended",
      "suspended cycle_paused suspended",
      "running cycle_paused suspended",
      "suspended resume running",
      "suspended resume completed",
      "suspended wake failed",
      "suspended wake running",
      "suspended close cancelled",
      "suspended stop stopped",
      "stopped send_input running",
    ])
      expect(COVERED).toContain(met);
  });
});
