import { JOURNALED } from "../../durable-objects/migrations/journaled.ts";
import { MachineShell } from "../../durable-objects/shell/machine-shell.ts";
import { sqliteStore } from "../../durable-objects/storage/sqlite-store.ts";
import type { Asking } from "../../src/engine/hitl/envelope.ts";
import { recordOf } from "../../src/engine/hitl/log.ts";
import { hitlMachine } from "../../src/engine/hitl/machine.ts";
import { type HitlOutcome, outcomeOfRequest } from "../../src/engine/hitl/outcome.ts";
import type { HitlCommand, HitlEvent, HitlReply, HitlRequest, HitlState } from "../../src/engine/hitl/state.ts";
import type { Json } from "../../src/lib/json.ts";
import type { VirtualClock } from "./clock.ts";
import type { EventLog } from "./event-log.ts";
import { OperationFailure } from "./operation.ts";

type Shell = MachineShell<HitlState, HitlCommand, HitlEvent, never, HitlReply>;

/** One request to people: the product's machine in its shell on its storage, with virtual time. */
class HitlObject {
  readonly #around: { readonly clock: VirtualClock; readonly log: EventLog };
  readonly #store = sqliteStore();
  #shell: Shell;

  constructor(around: { readonly clock: VirtualClock; readonly log: EventLog }) {
    this.#around = around;
    this.#shell = this.#load();
  }

  get request(): HitlRequest {
    const { state } = this.#shell;
    if (state === null) throw new Error("nothing was asked here");
    return state;
  }

  tell(command: HitlCommand): void {
    const answer = this.#shell.execute(command);
    if (!answer.ok) throw new OperationFailure(answer.rejection.detail);
  }

  restart(): void {
    this.#shell = this.#load();
  }

  close(): void {
    this.#store.close();
  }

  #load(): Shell {
    const { clock, log } = this.#around;
    return new MachineShell(
      {
        machine: hitlMachine,
        store: this.#store,
        migrations: JOURNALED,
        reducerVersion: 1,
        headOf: (state) => (state === null ? null : state.status),
        wakeAt: (state) => (state?.status === "open" ? state.deadline_ms : null),
        context: () => clock.context,
        objectId: "hitl",
      },
      ({ entry }) => {
        for (const event of entry.events) {
          const { topic, ...record } = recordOf(this.#asking(entry.events), event);
          log.append(topic, record);
        }
      },
    );
  }

  /** A commit is told before the shell shows its state: the first one brings the request with it. */
  #asking(events: readonly HitlEvent[]): Asking {
    const [first] = events;
    return first?.type === "requested" ? first.asking : this.request.asking;
  }
}

/** All requests of a system, in the order in which they were made. */
export class Requests {
  readonly #around: { readonly clock: VirtualClock; readonly log: EventLog };
  readonly #objects = new Map<string, HitlObject>();
  readonly #results = new Map<string, Json>();
  readonly #counters = new Map<string, number>();

  constructor(around: { readonly clock: VirtualClock; readonly log: EventLog }) {
    this.#around = around;
  }

  /** Counts the requests of one dispatch, from 1. */
  next(instance: string): number {
    const number = (this.#counters.get(instance) ?? 0) + 1;
    this.#counters.set(instance, number);
    return number;
  }

  /** Asks; `result` is what the guarded action of dual control gives. */
  ask(asking: Asking, result: Json): void {
    const { request_id: id } = asking;
    const object = this.#objects.get(id) ?? new HitlObject(this.#around);
    this.#objects.set(id, object);
    this.#results.set(id, result);
    object.tell({ type: "ask", asking });
  }

  /** Tells a request something; an action that was approved by it is carried out. */
  tell(id: string, command: HitlCommand): void {
    const object = this.#objects.get(id);
    if (object === undefined) throw new OperationFailure(`missing HITL request envelope for '${id}'`);
    object.tell(command);
    const { status, executed, asking } = object.request;
    if (asking.asked.kind === "dual_control" && status === "approved" && !executed)
      object.tell({ type: "executed", result: this.#results.get(id) ?? null });
  }

  outcome(id: string): HitlOutcome {
    const { request } = this.#objects.get(id) as HitlObject;
    return request.executed ? { type: "value", value: this.#results.get(id) ?? null } : outcomeOfRequest(request);
  }

  get open(): readonly HitlRequest[] {
    return this.#all.filter(({ status }) => status === "open");
  }

  /** When the next request is over by itself, or null. */
  get nextAt(): number | null {
    const times = this.open.map(({ deadline_ms: at }) => at).filter((at) => at !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** Ends the requests whose time has come. */
  wake(): void {
    for (const object of this.#objects.values()) object.tell({ type: "expire" });
  }

  /** Whoever asks anew after the loss of its process counts from 1 again, and finds what it asked before. */
  restart(): void {
    this.#counters.clear();
    for (const object of this.#objects.values()) object.restart();
  }

  close(): void {
    for (const object of this.#objects.values()) object.close();
  }

  get #all(): readonly HitlRequest[] {
    return [...this.#objects.values()].map(({ request }) => request);
  }
}
