import { vi } from "vitest";
import { CircuitShell } from "../../../durable-objects/shell/circuit-shell.ts";
import { TriggerControl } from "../../../durable-objects/shell/trigger-control.ts";
import { bindingMachine } from "../../../src/engine/trigger/binding.ts";
import type { EventCommand, EventEvent, EventState } from "../../../src/engine/trigger/event.ts";
import { GateBook } from "../../../src/engine/trigger/flow/gate-book.ts";
import { HitLog } from "../../../src/engine/trigger/flow/hit-log.ts";
import { WaitingLine } from "../../../src/engine/trigger/flow/waiting-line.ts";
import { eventMachine } from "../../../src/engine/trigger/machine.ts";
import { Trigger, type TriggerClass } from "../real-object.ts";
import type { Invariant } from "../violation.ts";
import { SECRET } from "./definitions.ts";

/** A bug that the simulator has to find, and as what it may find it. */
export interface PlantedTrigger {
  readonly bug: string;
  readonly caught_as: readonly Invariant[];
  readonly variant?: TriggerClass;
  /** Puts the bug into the product; it is taken out again with all spies. */
  readonly plant?: () => void;
}

const real = (variant: unknown): TriggerClass => variant as TriggerClass;

type Decide = typeof eventMachine.decide;

/** Lets the machine of events be told something else than it was told. */
const told =
  (change: (state: EventState, command: EventCommand) => readonly [EventState, EventCommand]) => (): void => {
    const { decide } = eventMachine;
    vi.spyOn(eventMachine, "decide").mockImplementation((state, command, context) =>
      decide(...change(state, command), context),
    );
  };

/** Lets something else happen than the machine of events has decided. */
const happens = (change: (event: EventEvent, state: EventState) => readonly EventEvent[]) => (): void => {
  const { decide, evolve } = eventMachine;
  vi.spyOn(eventMachine, "decide").mockImplementation(((state, command, context) => {
    const decision = decide(state, command, context);
    if (!decision.ok) return decision;
    const events = decision.events.flatMap((event) => change(event, state));
    return { ...decision, events, state: events.reduce(evolve, state) };
  }) as Decide);
};

const withoutCancel = (state: EventState): EventState =>
  state.status === "absent" ? state : { ...state, cancel: null };

const patient = (state: EventState): EventState => {
  if (state.status === "absent") return state;
  const { binding } = state;
  const definition = { ...binding.definition, retry: { max: 50, backoff: "immediate" as const } };
  return { ...state, binding: { ...binding, definition } };
};

class ForgetsWakers extends Trigger {
  override accept(delivery: Parameters<InstanceType<typeof Trigger>["accept"]>[0]) {
    const answer = super.accept(delivery);
    if (answer !== "stale" && answer.ok) this.store.write("DELETE FROM outbox");
    return answer;
  }
}

class SleepsOn extends Trigger {
  override async alarm(): Promise<void> {}
}

class AnswersFirst extends Trigger {
  #count = 0;

  override accept(delivery: Parameters<InstanceType<typeof Trigger>["accept"]>[0]) {
    this.#count += 1;
    const answer = super.accept(delivery);
    if (this.#count % 4 === 0) this.store.write("DELETE FROM event WHERE dedupe_key = ?", delivery.event.dedupe_key);
    return answer;
  }
}

class OrdersTwice extends Trigger {
  readonly #orders = new Map<string, ReturnType<InstanceType<typeof Trigger>["dispatch"]>>();

  override dispatch(key: string, given?: Parameters<InstanceType<typeof Trigger>["dispatch"]>[1]) {
    const known = this.#orders.get(key);
    if (known !== undefined) return known;
    const answer = super.dispatch(key, given);
    if (answer.ok && answer.reply.order?.type === "handle") this.#orders.set(key, answer);
    return answer;
  }
}

class ForgetsBudgets extends Trigger {
  override dispatch(key: string, given?: Parameters<InstanceType<typeof Trigger>["dispatch"]>[1]) {
    const answer = super.dispatch(key, given);
    const isThere = this.store.query("SELECT 1 AS found FROM sqlite_master WHERE name = 'control_state'").length > 0;
    if (isThere) this.store.write("DELETE FROM control_state");
    return answer;
  }
}

class CountsWrong extends Trigger {
  override show() {
    const shown = super.show();
    if (shown === null) return shown;
    const metrics = shown.trigger.metrics?.map((one) => ({ ...one, in_flight: Math.min(one.in_flight, 1) }));
    return { ...shown, trigger: { ...shown.trigger, metrics } } as typeof shown;
  }
}

/** Bugs of every kind that people make. */
export const PLANTED_TRIGGERS: readonly PlantedTrigger[] = [
  { bug: "an accepted event has nobody who looks after it", caught_as: ["T4 waker"], variant: real(ForgetsWakers) },
  { bug: "the alarm does nothing", caught_as: ["T4 waker", "liveness"], variant: real(SleepsOn) },
  { bug: "a delivery is answered and not kept", caught_as: ["T1 kept", "stray fault"], variant: real(AnswersFirst) },
  {
    bug: "a delivery that comes again gets another receipt",
    caught_as: ["T2 receipt", "T1 kept"],
    plant: () => {
      const { decide } = eventMachine;
      let count = 0;
      vi.spyOn(eventMachine, "decide").mockImplementation((state, command, context) => {
        const decision = decide(state, command, context);
        if (!decision.ok || decision.reply.type !== "receipt" || !decision.reply.duplicate) return decision;
        count += 1;
        return { ...decision, reply: { ...decision.reply, receipt: `receipt_${count}` } };
      });
    },
  },
  {
    bug: "an event that is over is cancelled",
    caught_as: ["T3 final", "T13 cancel"],
    plant: () => {
      const { decide } = eventMachine;
      vi.spyOn(eventMachine, "decide").mockImplementation((state, command, context) => {
        const decision = decide(state, command, context);
        if (decision.ok || command.type !== "cancel" || state.status === "absent") return decision;
        const at = new Date(context.now).toISOString();
        return decide({ ...state, status: "accepted" }, command, context).ok
          ? ({
              ...decide({ ...state, status: "accepted" }, command, context),
              events: [{ type: "cancelled", at, error: "x" }],
            } as never)
          : decision;
      });
    },
  },
  {
    bug: "a final event is settled again",
    caught_as: ["T3 final", "T7 handler", "T12 attempts", "T13 cancel"],
    plant: told((state, command) => [
      command.type === "settle" && state.status !== "absent" && state.attempts.length > 0
        ? { ...state, status: "dispatching" }
        : state,
      command,
    ]),
  },
  {
    bug: "there are more attempts than allowed",
    caught_as: ["T12 attempts"],
    plant: told((state, command) => [patient(state), command]),
  },
  {
    bug: "a cancellation is forgotten",
    caught_as: ["T13 cancel"],
    plant: told((state, command) => [command.type === "settle" ? withoutCancel(state) : state, command]),
  },
  {
    bug: "every attempt starts a run of its own",
    caught_as: ["T6 run"],
    plant: happens((event) =>
      event.type === "dispatch_started" && event.run_id !== null
        ? [{ ...event, run_id: `${event.run_id}-${event.attempt}` }]
        : [event],
    ),
  },
  {
    bug: "permits are not counted",
    caught_as: ["T8 permits"],
    plant: () => {
      vi.spyOn(GateBook.prototype, "permit").mockImplementation(() => ({
        holders: new Set(),
        line: new WaitingLine(),
      }));
    },
  },
  {
    bug: "permits are never given back",
    caught_as: ["T8 permits"],
    plant: () => {
      vi.spyOn(TriggerControl.prototype, "leave").mockImplementation(() => {});
    },
  },
  {
    bug: "windows always have room",
    caught_as: ["T9 window"],
    plant: () => {
      vi.spyOn(HitLog.prototype, "roomAt").mockReturnValue(null);
    },
  },
  {
    bug: "what was replaced in its quiet period goes on all the same",
    caught_as: ["T10 debounce"],
    plant: told((state, command) => {
      const isReplaced = command.type === "admit" && JSON.stringify(command.admission).includes('"debounced"');
      return [
        state,
        isReplaced ? { type: "admit", admission: { type: "admitted", verdicts: [], batch: null } } : command,
      ];
    }),
  },
  {
    bug: "a leader loses the members of its batch",
    caught_as: ["T11 batch"],
    plant: () => {
      const { flush } = TriggerControl.prototype;
      vi.spyOn(TriggerControl.prototype, "flush").mockImplementation(function alone(this: TriggerControl, now) {
        const moved = flush.call(this, now);
        return { ...moved, woken: moved.woken.map((one) => ({ ...one, members: [] })) };
      });
    },
  },
  {
    bug: "a dead letter stays pending when its replay went well",
    caught_as: ["T14 dead letter"],
    plant: happens((event) =>
      event.type === "dead_letter_changed" && event.dead_letter.state === "resolved" ? [] : [event],
    ),
  },
  { bug: "budgets are forgotten when the object sleeps", caught_as: ["T15 budget"], variant: real(ForgetsBudgets) },
  {
    bug: "an open circuit lets everybody pass",
    caught_as: ["T16 circuit"],
    plant: () => {
      vi.spyOn(CircuitShell.prototype, "allow").mockReturnValue({ allowed: true, probe: false, failures: 0 });
    },
  },
  {
    bug: "versions drain for ever",
    caught_as: ["T17 draining"],
    plant: () => {
      const { decide } = bindingMachine;
      vi.spyOn(bindingMachine, "decide").mockImplementation((state, command, context) => {
        const decision = decide(state, command, context);
        return decision.ok && command.type === "drained" ? { ...decision, events: [] } : decision;
      });
    },
  },
  {
    bug: "events are taken in under the first version",
    caught_as: ["T18 version"],
    plant: told((state, command) => [
      state,
      command.type === "accept" ? { ...command, binding: { ...command.binding, version: 1 } } : command,
    ]),
  },
  {
    bug: "a definition is kept with its secret",
    caught_as: ["T19 secret"],
    plant: () => {
      const { decide } = bindingMachine;
      vi.spyOn(bindingMachine, "decide").mockImplementation((state, command, context) =>
        command.type === "configure"
          ? decide(state, { ...command, definition: { ...command.definition, secret: SECRET } as never }, context)
          : decide(state, command, context),
      );
    },
  },
  { bug: "an order is given twice", caught_as: ["T7 handler"], variant: real(OrdersTwice) },
  { bug: "what is in flight is counted wrong", caught_as: ["T5 load"], variant: real(CountsWrong) },
];
