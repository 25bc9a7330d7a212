import { vi } from "vitest";
import type { Context } from "../../../src/engine/machine.ts";
import type { RunCommand, RunEffect } from "../../../src/engine/run/command.ts";
import type { RunEvent } from "../../../src/engine/run/event.ts";
import { runMachine } from "../../../src/engine/run/machine.ts";
import type { Run, RunState } from "../../../src/engine/run/state.ts";
import type { WorkerCommand, WorkerEffect } from "../../../src/engine/worker/command.ts";
import type { WorkerEvent } from "../../../src/engine/worker/event.ts";
import { workerMachine } from "../../../src/engine/worker/machine.ts";
import type { Worker, WorkerState } from "../../../src/engine/worker/state.ts";
import { AgentWorker, type WorkerClass } from "../real-object.ts";
import type { Invariant } from "../violation.ts";

/** A bug that the simulator has to find, and as what it may find it. */
export interface PlantedWorker {
  readonly bug: string;
  readonly caught_as: readonly Invariant[];
  readonly worker?: WorkerClass;
  /** Puts the bug into the product; it is taken out again with all spies. */
  readonly plant?: () => void;
}

const real = (variant: unknown): WorkerClass => variant as WorkerClass;

type WorkerDecide = typeof workerMachine.decide;

type RunDecide = typeof runMachine.decide;

/** Lets the machine of workers decide of another state, or something else than it was told. */
const told = (change: (state: Worker, command: WorkerCommand) => readonly [Worker, WorkerCommand]) => (): void => {
  const { decide, evolve } = workerMachine;
  vi.spyOn(workerMachine, "decide").mockImplementation(((state, command, context) => {
    if (state === null) return decide(state, command, context);
    const decision = decide(...change(state, command), context);
    // The events are folded into what the worker really is.
    return decision.ok ? { ...decision, state: decision.events.reduce<WorkerState>(evolve, state) } : decision;
  }) as WorkerDecide);
};

/** Lets other effects follow, or something else happen, than the machine of workers has decided. */
const follows =
  (given: {
    readonly effect?: (effect: WorkerEffect, context: Context) => readonly WorkerEffect[];
    readonly event?: (event: WorkerEvent, state: WorkerState) => readonly WorkerEvent[];
  }) =>
  (): void => {
    const { decide, evolve } = workerMachine;
    const { effect: changeEffect = (one) => [one], event: changeEvent = (one) => [one] } = given;
    vi.spyOn(workerMachine, "decide").mockImplementation(((state, command, context) => {
      const decision = decide(state, command, context);
      if (!decision.ok) return decision;
      const events = decision.events.flatMap((event) => changeEvent(event, state));
      const effects = decision.effects.flatMap((effect) => changeEffect(effect, context));
      return { ...decision, events, effects, state: events.reduce<WorkerState>(evolve, state) };
    }) as WorkerDecide);
  };

const without =
  (type: WorkerEffect["type"]) =>
  (effect: WorkerEffect): readonly WorkerEffect[] =>
    effect.type === type ? [] : [effect];

/** The same for the machine of runs. */
const inRuns =
  (given: {
    readonly told?: (run: Run, command: RunCommand) => readonly [Run, RunCommand];
    readonly effect?: (effect: RunEffect, run: RunState) => readonly RunEffect[];
    readonly event?: (event: RunEvent) => readonly RunEvent[];
  }) =>
  (): void => {
    const { decide, evolve } = runMachine;
    const { told: changeTold, effect: changeEffect = (one) => [one], event: changeEvent = (one) => [one] } = given;
    vi.spyOn(runMachine, "decide").mockImplementation(((state, command, context) => {
      const decision =
        state === null || changeTold === undefined
          ? decide(state, command, context)
          : decide(...changeTold(state, command), context);
      if (!decision.ok) return decision;
      const events = decision.events.flatMap(changeEvent);
      const effects = decision.effects.flatMap((effect) => changeEffect(effect, state));
      return { ...decision, events, effects, state: events.reduce<RunState>(evolve, state) };
    }) as RunDecide);
  };

const withoutOf =
  (type: RunEffect["type"]) =>
  (effect: RunEffect): readonly RunEffect[] =>
    effect.type === type ? [] : [effect];

class SleepsOn extends AgentWorker {
  override async alarm(): Promise<void> {}
}

/** Whoever asks gets the run to start, however often, under a number of its own. */
class StartsTwice extends AgentWorker {
  #asked = 0;

  override orderedCycle() {
    const ordered = super.orderedCycle();
    if (ordered === null || !ordered.order.ok) return ordered;
    this.#asked += 1;
    const { value } = ordered.order;
    return { ...ordered, order: { ...ordered.order, value: { ...value, run_id: `${value.run_id}-${this.#asked}` } } };
  }
}

class ForgetsHeld extends AgentWorker {
  override orderedCycle() {
    const ordered = super.orderedCycle();
    return ordered?.held === true ? null : ordered;
  }
}

class ForgetsPolicies extends AgentWorker {
  override orderedCycle() {
    const ordered = super.orderedCycle();
    return ordered === null ? null : { ...ordered, policy: null };
  }
}

const rested = (worker: Worker): Worker =>
  worker.suspension === null ? worker : { ...worker, suspension: { ...worker.suspension, quiesced_at: "now" } };

const isReport = (command: WorkerCommand): command is Extract<WorkerCommand, { readonly cycle: number }> =>
  command.type === "cycle_ended" || command.type === "cycle_paused" || command.type === "cycle_began";

/** Bugs of every kind that people make. */
export const PLANTED_WORKERS: readonly PlantedWorker[] = [
  {
    bug: "the order to start a cycle is lost, and nobody gives it again",
    caught_as: ["A1 start", "liveness"],
    worker: real(SleepsOn),
    plant: follows({ effect: without("start_cycle") }),
  },
  { bug: "a cycle gets a run each time that it is started", caught_as: ["A2 one run"], worker: real(StartsTwice) },
  {
    bug: "the report to the parent is lost",
    caught_as: ["liveness"],
    plant: follows({ effect: without("report") }),
  },
  {
    bug: "it is not noted that the parent was told",
    caught_as: ["A11 told once", "A3 stage"],
    plant: follows({ event: (event) => (event.type === "parent_told" ? [] : [event]) }),
  },
  {
    bug: "the parent is told again of every later end",
    caught_as: ["A11 told once"],
    plant: told((worker, command) => {
      const { parent_told: _told, ...rest } = worker;
      return [rest, command];
    }),
  },
  {
    bug: "a stage is completed under a token of its own",
    caught_as: ["liveness", "A3 stage"],
    plant: follows({
      effect: (effect, { nextId }) =>
        effect.type === "report" ? [{ ...effect, to: { ...effect.to, attempt_token: nextId("attempt") } }] : [effect],
    }),
  },
  {
    bug: "a report of an earlier cycle is taken for one of this",
    caught_as: ["A8 stale", "A2 one run", "A4 cancel"],
    plant: told((worker, command) => [worker, isReport(command) ? { ...command, cycle: worker.cycle } : command]),
  },
  {
    bug: "a worker is resumed before it rests",
    caught_as: ["A7 resume"],
    plant: told((worker, command) => [command.type === "resume" ? rested(worker) : worker, command]),
  },
  {
    bug: "a worker says that it rests as soon as it is asked to",
    caught_as: ["A5 rest", "A7 resume"],
    plant: follows({
      event: (event) =>
        event.type === "worker_suspended"
          ? [{ ...event, suspension: { ...event.suspension, quiesced_at: event.at } }]
          : [event],
    }),
  },
  {
    bug: "nobody starts the run of a worker that was suspended before",
    caught_as: ["liveness"],
    worker: real(ForgetsHeld),
  },
  {
    bug: "the run of a suspended worker is not asked to stop",
    caught_as: ["A5 rest"],
    plant: follows({ effect: without("pause_run") }),
  },
  {
    bug: "a suspended run goes on when it is looked at",
    caught_as: ["A5 rest", "liveness"],
    plant: inRuns({
      told: (run, command) => [
        command.type === "advance" && run.suspended === true ? { ...run, status: "running", suspended: false } : run,
        command,
      ],
    }),
  },
  {
    bug: "a run reports its rest while a stage is under way",
    caught_as: ["A5 rest"],
    plant: () => {
      const { decide } = runMachine;
      vi.spyOn(runMachine, "decide").mockImplementation(((state, command, context) => {
        const decision = decide(state, command, context);
        const to = decision.ok ? (decision.state?.report_to ?? null) : null;
        if (!decision.ok || command.type !== "pause_run" || to === null || !("worker_id" in to)) return decision;
        return { ...decision, effects: [...decision.effects, { type: "report_rest", to }] };
      }) as RunDecide);
    },
  },
  {
    bug: "a driver is not told which steps are recorded",
    caught_as: ["A6 step"],
    plant: () => {
      const { decide } = runMachine;
      vi.spyOn(runMachine, "decide").mockImplementation(((state, command, context) => {
        const decision = decide(state, command, context);
        if (!decision.ok || decision.reply.type !== "advance" || decision.reply.advance.next === null) return decision;
        const { progress: _progress, ...next } = decision.reply.advance.next;
        return { ...decision, reply: { ...decision.reply, advance: { ...decision.reply.advance, next } } };
      }) as RunDecide);
    },
  },
  {
    bug: "a resumed run is not told so",
    caught_as: ["liveness"],
    plant: follows({ effect: without("resume_run") }),
  },
  {
    bug: "the children of a worker that is closed go on",
    caught_as: ["A4 cancel"],
    plant: follows({ effect: without("close_child") }),
  },
  {
    bug: "the run of a worker that is closed goes on to wait",
    caught_as: ["A4 cancel", "liveness", "A5 rest"],
    plant: follows({ effect: without("cancel_run") }),
  },
  {
    bug: "the workers of a run that is cancelled are forgotten",
    caught_as: ["A4 cancel"],
    plant: inRuns({ effect: withoutOf("close_worker") }),
  },
  {
    bug: "a run tells its worker nothing of its end",
    caught_as: ["liveness", "A4 cancel"],
    plant: inRuns({ effect: withoutOf("report_end") }),
  },
  {
    bug: "a run does not spawn the worker of its stage",
    caught_as: ["liveness", "A3 stage"],
    plant: inRuns({ effect: withoutOf("spawn_worker") }),
  },
  {
    bug: "a worker that was closed is settled by its run",
    caught_as: ["A9 sticky"],
    plant: told((worker, command) => [
      command.type === "cycle_ended" && worker.status === "cancelled" ? { ...worker, status: "running" } : worker,
      command,
    ]),
  },
  {
    bug: "the policy of a worker is not that of its run",
    caught_as: ["A10 ceiling"],
    worker: real(ForgetsPolicies),
  },
  {
    bug: "two who resume a worker both do",
    caught_as: ["A7 resume"],
    plant: () => {
      const { decide } = workerMachine;
      vi.spyOn(workerMachine, "decide").mockImplementation(((state, command, context) => {
        const decision = decide(state, command, context);
        if (decision.ok || command.type !== "resume" || state?.status !== "running") return decision;
        return decide(state, { type: "wake" }, context);
      }) as WorkerDecide);
    },
  },
  {
    bug: "the fold forgets that a run has come to rest",
    caught_as: ["I2 fold", "liveness"],
    plant: () => {
      const { evolve } = workerMachine;
      vi.spyOn(workerMachine, "evolve").mockImplementation((state, event) =>
        event.type === "cycle_paused" ? state : evolve(state, event),
      );
    },
  },
];
