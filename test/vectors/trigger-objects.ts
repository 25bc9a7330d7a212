import { TRIGGER } from "../../durable-objects/migrations/trigger.ts";
import { MachineShell } from "../../durable-objects/shell/machine-shell.ts";
import { sqliteStore } from "../../durable-objects/storage/sqlite-store.ts";
import {
  bindingMachine,
  type BindingCommand,
  type BindingEvent,
  type BindingReply,
  type BindingState,
} from "../../src/engine/trigger/binding.ts";
import {
  type BindingLoad,
  busyVersions,
  idleVersions,
  loadOf,
  tendedLoad,
} from "../../src/engine/trigger/binding-load.ts";
import type { VirtualClock } from "./clock.ts";
import { OperationFailure } from "./operation.ts";

type Shell = MachineShell<BindingState, BindingCommand, BindingEvent, never, BindingReply>;

/** One trigger's object: the product's machine, load and rows, with virtual time in place of the platform's. */
export class TriggerObject {
  readonly #clock: VirtualClock;
  readonly #store = sqliteStore();
  #shell: Shell;
  #load: BindingLoad = new Map();

  constructor(clock: VirtualClock) {
    this.#clock = clock;
    this.#shell = this.#host();
  }

  get state(): BindingState {
    return this.#shell.state;
  }

  get load(): BindingLoad {
    return this.#load;
  }

  /** Gives a command; what is in flight is added to it, and versions that it leaves idle end. */
  tell(command: BindingCommand): BindingReply {
    const told = { ...command, ...(isBusyAware(command) ? { busy: busyVersions(this.#load) } : {}) };
    const answer = this.#shell.execute(told);
    if (!answer.ok) throw new OperationFailure(answer.rejection.detail);
    this.#load = tendedLoad(this.state, this.#load);
    return answer.reply;
  }

  /** Takes a new load; versions that drain and have nothing in flight any more end. */
  setLoad(load: BindingLoad): void {
    this.#load = load;
    for (const version of idleVersions(this.state, load)) this.tell({ type: "drained", version });
    this.#load = tendedLoad(this.state, this.#load);
  }

  restart(): void {
    this.#shell = this.#host();
    this.#load = loadOf(this.state, []);
  }

  close(): void {
    this.#store.close();
  }

  #host(): Shell {
    return new MachineShell(
      {
        machine: bindingMachine,
        migrations: TRIGGER,
        reducerVersion: 1,
        headOf: (state) =>
          state.status === "absent" ? null : { status: state.status, version: state.current.version },
        wakeAt: () => null,
        store: this.#store,
        context: () => this.#clock.context,
        objectId: "trigger",
      },
      () => {},
    );
  }
}

const isBusyAware = ({ type }: BindingCommand): boolean => type === "configure" || type === "delete";

/** All triggers of a system, by id. */
export class Triggers {
  readonly #clock: VirtualClock;
  readonly #objects = new Map<string, TriggerObject>();

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** The object of an id; one that nobody has used yet is empty. */
  named(id: string): TriggerObject {
    let object = this.#objects.get(id);
    if (object === undefined) this.#objects.set(id, (object = new TriggerObject(this.#clock)));
    return object;
  }

  /** Ids and objects that were used, in the order of the ids. */
  get all(): readonly (readonly [string, TriggerObject])[] {
    return [...this.#objects].toSorted(([left], [right]) => (left < right ? -1 : 1));
  }

  restart(): void {
    for (const object of this.#objects.values()) object.restart();
  }

  close(): void {
    for (const object of this.#objects.values()) object.close();
  }
}
