import type { BranchSettled, RunEvent } from "../../src/engine/run/event.ts";
import type { MailboxEvent } from "../../src/engine/mailbox/event.ts";
import type { PreparedStage, Run } from "../../src/engine/run/state.ts";
import { AppendMap } from "../../src/lib/append.ts";
import { MAPPING_GRAPH, WAITING_GRAPH } from "./graph.ts";
import { changeRun, type Planted, withDecide, withEvents } from "./planted.ts";
import {
  Mailbox,
  type MailboxClass,
  type MailboxObject,
  type RunClass,
  type RunObject,
  WorkflowRun,
} from "./real-object.ts";

/** The run as a decision sees it, with its open units changed. */
const changeUnits = (change: (unit: PreparedStage, run: Run) => PreparedStage): RunClass =>
  withDecide(changeRun((run) => ({ ...run, open: run.open.map((unit) => change(unit, run)) })));

const dropEvents = (dropped: (event: RunEvent) => boolean): RunClass =>
  withDecide(
    (decide) => (state, command, context) =>
      withEvents(decide(state, command, context), (event) => (dropped(event) ? [] : [event])),
  );

/** A branch that has settled settles once more when its completion comes again. */
const settlesTwice = (): RunClass => {
  const settled = new Map<string, BranchSettled>();
  return withDecide((decide) => (state, command, context) => {
    const token = command.type === "advance" ? command.complete?.attempt_token : undefined;
    const known = token === undefined ? undefined : settled.get(token);
    const decision = decide(state, command, context);
    if (!decision.ok || token === undefined) return decision;
    const event = decision.events.find(({ type }) => type === "branch_settled") as BranchSettled | undefined;
    if (event !== undefined) settled.set(token, event);
    if (known === undefined || state?.completions.has(token) !== true) return decision;
    const { state: _, ...rest } = decision;
    return { ...rest, events: [known, ...decision.events] };
  });
};

/** Branches that their map no longer waits for are answered as if they were. */
const acceptsLosers = (): RunClass => {
  const losers = new Set<string>();
  return withDecide((decide) => (state, command, context) => {
    const decision = decide(state, command, context);
    if (decision.ok)
      for (const event of decision.events)
        if (event.type === "stage_completed")
          for (const unit of state?.open ?? [])
            if (unit.branch_of?.map_stage_id === event.stage_id) losers.add(unit.attempt_token);
    const token = command.type === "advance" ? command.complete?.attempt_token : undefined;
    if (decision.ok || token === undefined || !losers.has(token) || command.type !== "advance") return decision;
    const { complete: _, ...bare } = command;
    return decide(state, bare, context);
  });
};

/** Completed stages enter the record at once, whatever was prepared before them. */
const recordsAtOnce = withDecide((decide) => (state, command, context) => {
  return withEvents(decide(state, command, context), (event) => {
    if (event.type === "stage_retired") return [];
    if (event.type !== "stage_completed") return [event];
    const { deferred: _, ...rest } = event;
    return [rest];
  });
});

const takesPlaces = withDecide(
  changeRun((run) => {
    const parked = run.open.filter((unit) => ["external", "sleep", "wait"].includes(unit.mode)).length;
    return run.max_parallel === 1 ? run : { ...run, max_parallel: Math.max(1, run.max_parallel - parked) };
  }),
);

const stepsTwice = withDecide((decide) => (state, command, context) => {
  if (command.type !== "record_step") return decide(state, command, context);
  const unit = state?.open.find((open) => open.attempt_token === command.attempt_token);
  return decide(state, { ...command, number: unit?.loop?.steps ?? 0 }, context);
});

/** What a mailbox decides, with other events. */
const mailboxWith = (change: (event: MailboxEvent) => readonly MailboxEvent[]): MailboxClass =>
  class extends Mailbox {
    protected override parts() {
      const parts = super.parts();
      const decide: typeof parts.machine.decide = (state, command, context) => {
        const decision = parts.machine.decide(state, command, context);
        if (!decision.ok) return decision;
        const { state: _, ...rest } = decision;
        return { ...rest, events: decision.events.flatMap(change) };
      };
      return { ...parts, machine: { ...parts.machine, decide } };
    }
  };

class IgnoresSignalKeys extends Mailbox {
  override request(...[address, request]: Parameters<MailboxObject["request"]>) {
    return super.request(address, request);
  }
}

/** Says of a message that a stage has heard that it has not. */
class Forgetful extends WorkflowRun {
  override hear(heard: Parameters<RunObject["hear"]>[0]) {
    const answer = super.hear(heard);
    return answer.ok ? { ok: true as const, reply: { accepted: false } } : answer;
  }
}

const isSleep = (unit: PreparedStage): boolean => unit.work.type === "sleep" && unit.deadline_ms !== null;

/** Bugs that only show where several things go on in a run, or where it waits. */
export const PLANTED_PARALLEL: readonly Planted[] = [
  {
    bug: "a branch settles once more",
    caught_as: ["I6 fencing", "map"],
    variant: settlesTwice(),
    traits: MAPPING_GRAPH,
  },
  {
    bug: "a branch that lost is accepted",
    caught_as: ["map", "I6 fencing"],
    variant: acceptsLosers(),
    traits: MAPPING_GRAPH,
  },
  {
    bug: "a map starts all of its branches at once",
    caught_as: ["map"],
    traits: MAPPING_GRAPH,
    variant: changeUnits((unit) =>
      unit.work.type === "map" ? { ...unit, work: { ...unit.work, map: { ...unit.work.map, concurrency: 64 } } } : unit,
    ),
  },
  {
    bug: "a map closes before enough branches have settled",
    caught_as: ["map"],
    traits: MAPPING_GRAPH,
    variant: changeUnits((unit) =>
      unit.work.type === "map" && unit.work.map.target > 1
        ? { ...unit, work: { ...unit.work, map: { ...unit.work.map, target: unit.work.map.target - 1 } } }
        : unit,
    ),
  },
  { bug: "a stage enters the record before its turn", caught_as: ["order"], variant: recordsAtOnce },
  {
    bug: "a stage never gets its turn in the record",
    caught_as: ["liveness", "places", "I7 wake-up", "idle"],
    variant: dropEvents(({ type }) => type === "stage_retired"),
  },
  {
    bug: "more stages are open than may be",
    caught_as: ["places"],
    variant: withDecide(changeRun((run) => ({ ...run, max_parallel: run.max_parallel + 2 }))),
  },
  {
    bug: "a stage that waits takes a place",
    caught_as: ["places", "order"],
    variant: takesPlaces,
    traits: WAITING_GRAPH,
  },
  {
    bug: "a sleep ends before its time",
    caught_as: ["waiting"],
    traits: WAITING_GRAPH,
    variant: changeUnits((unit) => (isSleep(unit) ? { ...unit, deadline_ms: (unit.deadline_ms ?? 0) - 2_000 } : unit)),
  },
  {
    bug: "nobody wakes a stage that sleeps",
    caught_as: ["I7 wake-up", "liveness"],
    traits: WAITING_GRAPH,
    variant: class extends WorkflowRun {
      protected override parts() {
        const parts = super.parts();
        const wakeAt: typeof parts.wakeAt = (state, now) =>
          state?.open.some(isSleep) === true ? null : parts.wakeAt(state, now);
        return { ...parts, wakeAt };
      }
    },
  },
  {
    bug: "a run that sleeps looks after itself all the time",
    caught_as: ["idle"],
    traits: WAITING_GRAPH,
    variant: class extends WorkflowRun {
      protected override parts() {
        const parts = super.parts();
        const wakeAt: typeof parts.wakeAt = (state, now) => {
          const at = parts.wakeAt(state, now);
          return at !== null && state?.open.some(isSleep) === true ? Math.min(at, now + 5_000) : at;
        };
        return { ...parts, wakeAt };
      }
    },
  },
  {
    bug: "the deadline of a run is not looked at",
    caught_as: ["deadline", "idle", "liveness"],
    traits: WAITING_GRAPH,
    variant: withDecide(changeRun((run) => ({ ...run, deadline_ms: null }))),
  },
  { bug: "a step of a loop is recorded twice", caught_as: ["journal"], variant: stepsTwice, traits: MAPPING_GRAPH },
  {
    bug: "a run forgets which message its stage has heard",
    caught_as: ["message"],
    traits: WAITING_GRAPH,
    variant: withDecide(changeRun((run) => ({ ...run, heard: AppendMap.empty }))),
  },
  { bug: "a message that was heard comes back", caught_as: ["message"], variant: Forgetful, traits: WAITING_GRAPH },
  {
    bug: "a run does not tell its mailbox that a stage waits",
    caught_as: ["liveness"],
    traits: WAITING_GRAPH,
    variant: withDecide((decide) => (state, command, context) => {
      const decision = decide(state, command, context);
      return decision.ok
        ? { ...decision, effects: decision.effects.filter(({ type }) => type !== "subscribe") }
        : decision;
    }),
  },
  {
    bug: "a mailbox takes a message back that was heard",
    caught_as: ["message"],
    mailbox: mailboxWith((event) =>
      event.type === "delivery_accepted" ? [{ ...event, type: "delivery_returned" }] : [event],
    ),
  },
  { bug: "a signal is sent once more under its key", caught_as: ["I5 same reply"], mailbox: IgnoresSignalKeys },
];
