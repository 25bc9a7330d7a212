import type { Decision } from "../../src/engine/machine.ts";
import type { RunCommand, RunEffect, RunReply } from "../../src/engine/run/command.ts";
import type { RunEvent, StageCompleted } from "../../src/engine/run/event.ts";
import { evolve } from "../../src/engine/run/evolve.ts";
import { runMachine } from "../../src/engine/run/machine.ts";
import { isTerminal, type Run, type RunState } from "../../src/engine/run/state.ts";
import { type GraphTraits, WAITING_GRAPH } from "./graph.ts";
import type { Invariant } from "./violation.ts";
import { type MailboxClass, type RunClass, type RunObject, WorkflowRun } from "./real-object.ts";

type RunDecision = Decision<RunEvent, RunEffect, RunReply, RunState>;
type Decide = typeof runMachine.decide;
type Machine = typeof runMachine;

/** A bug planted into the real class, and the invariants of which one has to break. */
export interface Planted {
  readonly bug: string;
  readonly caught_as: readonly Invariant[];
  readonly variant?: RunClass;
  readonly mailbox?: MailboxClass;
  /** Graphs in which the bug matters. */
  readonly traits?: GraphTraits;
}

export const withMachine = (change: (machine: Machine) => Machine): RunClass =>
  class extends WorkflowRun {
    protected override parts() {
      return { ...super.parts(), machine: change(runMachine) };
    }
  };

export const withDecide = (change: (decide: Decide) => Decide): RunClass =>
  withMachine((machine) => ({ ...machine, decide: change(machine.decide) }));

/** A decision with other events; the shell has to fold them itself. */
export const withEvents = (decision: RunDecision, change: (event: RunEvent) => readonly RunEvent[]): RunDecision => {
  if (!decision.ok) return decision;
  const { state: _, ...rest } = decision;
  return { ...rest, events: decision.events.flatMap(change) };
};

export const changeRun =
  (change: (run: Run, command: RunCommand) => Run) =>
  (decide: Decide): Decide =>
  (state, command, context) => {
    const decision = decide(state === null ? null : change(state, command), command, context);
    return withEvents(decision, (event) => [event]);
  };

const ignoresToken = withDecide((decide) => (state, command, context) => {
  const current = state?.open.find((unit) => unit.holder !== "nobody")?.attempt_token;
  if (command.type !== "advance" || command.complete === undefined || current === undefined)
    return decide(state, command, context);
  return decide(state, { ...command, complete: { ...command.complete, attempt_token: current } }, context);
});

const appliesTwice = (): RunClass => {
  const completed = new Map<string, StageCompleted>();
  return withDecide((decide) => (state, command, context) => {
    const token = command.type === "advance" ? command.complete?.attempt_token : undefined;
    const known = token !== undefined && state?.completions.get(token) !== undefined ? completed.get(token) : undefined;
    const decision = decide(state, command, context);
    if (decision.ok && token !== undefined)
      for (const event of decision.events)
        if (event.type === "stage_completed" && !completed.has(token)) completed.set(token, event);
    if (!decision.ok || known === undefined) return decision;
    const { state: _, ...rest } = decision;
    return { ...rest, events: [known, ...decision.events] };
  });
};

const queuesTwice = withDecide((decide) => (state, command, context) => {
  let run = state;
  return withEvents(decide(state, command, context), (event) => {
    run = evolve(run, event);
    if (event.type !== "transitions_recorded" || run === null) return [event];
    return [{ ...event, ready: [...run.ready, ...run.ready.slice(0, 1)] }];
  });
});

/** Effects are performed after the answer, from memory only: no outbox, and nothing brings back what was lost. */
class ForgetsEffects extends WorkflowRun {
  protected override parts() {
    const { derive: _, ...parts } = super.parts();
    return { ...parts, isDerived: () => true };
  }
}

/** The alarm does its work and is not set again. */
class NeverRearms extends WorkflowRun {
  override async alarm(): Promise<void> {
    this.shell.alarmFired();
    const command = this.parts().onAlarm(this.shell.state);
    if (command !== null) this.execute(command);
    await this.drain();
  }
}

class ThrowsInAlarm extends WorkflowRun {
  override alarm(): Promise<void> {
    return Promise.reject(new Error("planted"));
  }
}

class LeaseNeverEnds extends WorkflowRun {
  override execute(command: RunCommand, key?: Parameters<RunObject["execute"]>[1]) {
    return super.execute(
      "live_attempts" in command
        ? { ...command, live_attempts: this.shell.state?.open.map((unit) => unit.attempt_token) ?? [] }
        : command,
      key,
    );
  }
}

class CommitsTwice extends WorkflowRun {
  override execute(command: RunCommand, key?: Parameters<RunObject["execute"]>[1]) {
    const answer = super.execute(command, key);
    if (answer.ok && command.type === "advance") super.execute({ type: "wake", live_attempts: [] });
    return answer;
  }
}

class ReusesEffectIds extends WorkflowRun {
  override execute(command: RunCommand, key?: Parameters<RunObject["execute"]>[1]) {
    const answer = super.execute(command, key);
    if (this.store.query("SELECT 1 AS found FROM sqlite_master WHERE name = 'outbox'").length > 0)
      this.store.write("UPDATE outbox SET id = 'object:next:0' WHERE attempts = 0");
    return answer;
  }
}

class IgnoresKeys extends WorkflowRun {
  override request(request: Parameters<RunObject["request"]>[0]) {
    return super.request(request);
  }
}

class WakesAllTheTime extends WorkflowRun {
  protected override parts() {
    return { ...super.parts(), wakeAt: (state: RunState, now: number) => (state === null ? null : now) };
  }
}

/** Answers before it has committed: one answer in four is not followed by a commit. */
const answersFirst = (): RunClass => {
  let answers = 0;
  return withDecide((decide) => (state, command, context) => {
    const decision = decide(state, command, context);
    if (!decision.ok || command.type !== "advance" || command.complete === undefined) return decision;
    answers += 1;
    return answers % 4 === 0 ? { ok: true, events: [], effects: [], reply: decision.reply } : decision;
  });
};

const isLost = (event: RunEvent): boolean => event.type === "attempt_ended" && event.reason === "lease_expired";

const real = (variant: typeof WorkflowRun): RunClass => variant;

export const PLANTED: readonly Planted[] = [
  { bug: "the alarm is not set again on wake", caught_as: ["I7 wake-up", "I1 alarm"], variant: real(NeverRearms) },
  {
    bug: "the alarm handler throws",
    caught_as: ["I7 wake-up", "I1 alarm", "liveness", "stray fault"],
    variant: real(ThrowsInAlarm),
  },
  { bug: "effects live in memory only", caught_as: ["I1 alarm", "index"], variant: real(ForgetsEffects) },
  {
    bug: "evolve forgets an event",
    caught_as: ["I2 fold"],
    variant: withMachine((machine) => ({
      ...machine,
      evolve: (state, event) => (event.type === "transitions_recorded" ? state : machine.evolve(state, event)),
    })),
  },
  {
    bug: "the state in memory is not the fold of the events",
    caught_as: ["I2 fold"],
    variant: withDecide((decide) => (state, command, context) => {
      const decision = decide(state, command, context);
      return decision.ok && decision.state != null ? { ...decision, state: { ...decision.state, steps: 0 } } : decision;
    }),
  },
  { bug: "one command makes two commits", caught_as: ["I3 commit"], variant: real(CommitsTwice) },
  { bug: "an effect's id is not where it was decided", caught_as: ["I4 effect id"], variant: real(ReusesEffectIds) },
  { bug: "idempotency keys are ignored", caught_as: ["I5 same reply", "liveness"], variant: real(IgnoresKeys) },
  { bug: "the attempt token is not checked", caught_as: ["I6 fencing", "I5 same reply"], variant: ignoresToken },
  { bug: "a repeated completion is applied again", caught_as: ["I6 fencing"], variant: appliesTwice() },
  {
    bug: "a run that has ended goes on",
    caught_as: ["I6 fencing"],
    variant: withDecide(
      changeRun((run, { type }) =>
        isTerminal(run.status) && type !== "create_run" ? { ...run, status: "running", ready: ["n0"] } : run,
      ),
    ),
  },
  {
    bug: "a run forgets to order a driver",
    caught_as: ["I7 wake-up", "liveness"],
    variant: withDecide((decide) => (state, command, context) => {
      const decision = decide(state, command, context);
      return decision.ok
        ? { ...decision, effects: decision.effects.filter((effect) => effect.type !== "drive") }
        : decision;
    }),
  },
  { bug: "a lease never ends", caught_as: ["liveness"], variant: real(LeaseNeverEnds) },
  { bug: "a node is queued twice", caught_as: ["queue"], variant: queuesTwice },
  {
    bug: "max_steps is not looked at",
    caught_as: ["steps"],
    variant: withDecide(changeRun((run) => ({ ...run, max_steps: 1_000 }))),
  },
  { bug: "the watchdog looks without a break", caught_as: ["idle"], variant: real(WakesAllTheTime) },
  {
    bug: "a lost attempt is not recorded",
    caught_as: ["attempts"],
    variant: withDecide(
      (decide) => (state, command, context) =>
        withEvents(decide(state, command, context), (event) => (isLost(event) ? [] : [event])),
    ),
  },
  {
    bug: "an answer leaves before its commit",
    caught_as: ["lost completion", "I6 fencing", "I5 same reply", "execution"],
    variant: answersFirst(),
  },
  {
    bug: "an external stage is given to a driver",
    caught_as: ["execution", "attempts", "places"],
    traits: WAITING_GRAPH,
    variant: withDecide(
      changeRun((run, { type }) =>
        type === "advance"
          ? {
              ...run,
              open: run.open.map((unit) =>
                unit.mode === "external" ? { ...unit, mode: "function", holder: "driver" } : unit,
              ),
            }
          : run,
      ),
    ),
  },
];
