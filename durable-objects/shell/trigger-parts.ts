import {
  type BindingCommand,
  type BindingEvent,
  bindingMachine,
  type BindingReply,
  type BindingState,
} from "../../src/engine/trigger/binding.ts";
import { isMigrated } from "../migrations/migration.ts";
import { TRIGGER } from "../migrations/trigger.ts";
import { BindingReplica } from "./binding-replica.ts";
import { EventAlarm } from "./event-alarm.ts";
import { EventBook } from "./event-book.ts";
import { EventCommits } from "./event-commits.ts";
import type { EventDraft } from "./event-draft.ts";
import { EventOutbox } from "./event-outbox.ts";
import { MachineShell } from "./machine-shell.ts";
import { nextEffectAt } from "./outbox.ts";
import type { TriggerHosting } from "./trigger-requests.ts";
import { type Tick, TriggerTicks } from "./trigger-ticks.ts";
import { VersionLoads } from "./version-loads.ts";

/** The journaled binding of a trigger. */
export type BindingShell = MachineShell<BindingState, BindingCommand, BindingEvent, never, BindingReply>;

/** What a trigger's object is made of, on its one store. */
export interface TriggerParts {
  readonly hosting: TriggerHosting;
  readonly binding: BindingShell;
  readonly replica: BindingReplica;
  readonly book: EventBook;
  readonly alarm: EventAlarm;
  readonly outbox: EventOutbox;
  readonly loads: VersionLoads;
  readonly ticks: TriggerTicks;
  readonly commits: EventCommits;
  /** The binding; a shard knows it by a copy. */
  readonly state: () => BindingState;
}

const bindingShell = (
  { store, context, objectId }: TriggerHosting,
  wakeAt: () => number | null,
  committed: () => void,
): BindingShell =>
  new MachineShell(
    {
      machine: bindingMachine,
      migrations: TRIGGER,
      reducerVersion: 2,
      headOf: (state) => (state.status === "absent" ? null : { status: state.status, version: state.current.version }),
      // Loading the binding sets the alarm again: flow control and ticks may not be put off by that.
      wakeAt,
      store,
      context,
      objectId,
    },
    committed,
  );

function* openVersions(outbox: EventOutbox, state: BindingState): Generator<number> {
  if (state.status === "absent") return;
  for (const messages of outbox.held()) for (const message of messages) if ("version" in message) yield message.version;
}

const earliest = (...times: readonly (number | null)[]): number | null => {
  const known = times.filter((time): time is number => time !== null);
  return known.length === 0 ? null : Math.min(...known);
};

/** Puts the parts of a trigger's object together; `acceptTick` takes in the ticks of its schedule. */
export const triggerParts = (hosting: TriggerHosting, acceptTick: (tick: Tick) => EventDraft | null): TriggerParts => {
  const { store, context, queuesForget, send, changed, left = () => undefined, log } = hosting;
  const now = (): number => context().now;
  // What commits a change of the binding sets the alarm as well: it may put off nothing that is held.
  const heldUntil = (): number | null => (isMigrated(store, TRIGGER) ? nextEffectAt(store) : null);
  const binding = bindingShell(
    hosting,
    () => earliest(heldUntil(), commits.dueAt, ticks.nextAt),
    () => alarm.forget(),
  );
  const replica = new BindingReplica(store);
  const state = (): BindingState => replica.state ?? binding.state;
  const shard = (): number | null => replica.shard;
  const book = new EventBook({ store, context, binding: state });
  const ticks = new TriggerTicks({ store, context, binding: state, accept: acceptTick });
  const alarm: EventAlarm = new EventAlarm({
    store,
    now,
    dueTimes: () => [nextEffectAt(store), commits.dueAt, ticks.nextAt],
  });
  const outbox = new EventOutbox({ store, now, alarm, queuesForget, shard });
  const loads = new VersionLoads(binding, () => openVersions(outbox, state()));
  const triggerId = (): string => {
    const known = state();
    return known.status === "absent" ? "" : known.trigger_id;
  };
  const around = { triggerId, shard, send, changed, left, log };
  const commits: EventCommits = new EventCommits({ store, context, book, outbox, alarm, loads, ...around });
  return { hosting, binding, replica, book, alarm, outbox, loads, ticks, commits, state };
};
