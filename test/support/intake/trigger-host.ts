import { type DispatchMessage, type HeldMessage } from "../../../durable-objects/shell/trigger-messages.ts";
import { type EventAnswer as ShellAnswer } from "../../../durable-objects/shell/trigger-requests.ts";
import { TriggerShell } from "../../../durable-objects/shell/trigger-shell.ts";
import type { EventAnswer } from "../../../durable-objects/trigger.ts";
import type { Answer } from "../../../src/engine/machine.ts";
import { handlerKindOf } from "../../../src/engine/trigger/definition-handler.ts";
import { deadLetterChange, eventRow } from "../../../src/engine/trigger/view.ts";
import type { Scheduler } from "../../sim/scheduler.ts";
import type { Random } from "../random.ts";
import { Crash, CrashingStore } from "./crashing-store.ts";

/** What a caller gets when the object was reset under its call. */
export const resetFault = (): Error => Object.assign(new Error("the object was reset"), { retryable: true });

interface HostSurroundings {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly queuesForget: boolean;
  /** Of several objects: which one it is. */
  readonly number?: number;
}

/** What a host tells of its object. */
export interface HostEvents {
  /** Messages that leave the object. */
  readonly send: (messages: readonly DispatchMessage[]) => void;
  /** The instance is gone, and the queue's messages with it. */
  readonly crashed: () => void;
  /** Tells whoever coordinates the object, a shard, that an event is over. */
  readonly left?: (ticket: string) => Promise<unknown>;
}

/** An answer as it leaves the object. */
export const shown = (answer: Answer<ShellAnswer>): Answer<EventAnswer> => {
  if (!answer.ok) return answer;
  const { record, seq, reply, order, cancel_run } = answer.reply;
  const dead_letter = deadLetterChange(record, seq);
  const handler_kind = handlerKindOf(record.binding.definition);
  return { ok: true, reply: { reply, row: eventRow(record), seq, dead_letter, order, cancel_run, handler_kind } };
};

/** The platform around one trigger: disk and alarm live on, the instance does not. */
export class TriggerHost {
  readonly storage = new CrashingStore();
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #events: HostEvents;
  readonly #queuesForget: boolean;
  readonly #idMark: string;
  #shell: TriggerShell | null = null;
  #epoch = 0;
  #ids = 0;
  #alarmAt: number | null = null;

  constructor({ scheduler, random, queuesForget, number = 0 }: HostSurroundings, events: HostEvents) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#queuesForget = queuesForget;
    this.#idMark = String(8_000 + number);
    this.#events = events;
  }

  /** The object, loaded when it has to be. */
  get shell(): TriggerShell {
    this.#shell ??= this.#load();
    return this.#shell;
  }

  /** Ends the instance. A process that comes up again asks the object to send everything once more. */
  crash(): void {
    this.#shell = null;
    this.#epoch += 1;
    this.#events.crashed();
    if (!this.#queuesForget) return;
    this.#scheduler.after(this.#random.int(100, 800), () => this.#recover());
  }

  /** Calls the object from outside; the call and its answer each take a while, and either may be lost. */
  call<T>(work: (shell: TriggerShell) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const given = this.#epoch;
      this.#scheduler.after(this.#latency(), () => {
        if (given !== this.#epoch) return reject(resetFault());
        const done = this.#enter(work);
        if (done === null) return reject(resetFault());
        this.#scheduler.after(this.#latency(), () =>
          given === this.#epoch ? resolve(done.value) : reject(resetFault()),
        );
      });
    });
  }

  /** Does something in the object; null when the instance has died of it. */
  #enter<T>(work: (shell: TriggerShell) => T): { readonly value: T } | null {
    try {
      const value = work(this.shell);
      if (!this.storage.isDead) return { value };
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
    } finally {
      this.#scheduleAlarm();
    }
    this.crash();
    return null;
  }

  #load(): TriggerShell {
    const epoch = this.#epoch;
    const isAlive = (): boolean => epoch === this.#epoch && !this.storage.isDead;
    return new TriggerShell({
      store: this.storage.open(),
      context: () => ({ now: this.#scheduler.now, nextId: (prefix) => this.#nextId(prefix) }),
      objectId: "trigger",
      queuesForget: this.#queuesForget,
      send: (messages) => {
        if (isAlive()) this.#events.send(messages);
      },
      changed: () => undefined,
      left: (id, ticket) => {
        if (isAlive()) this.#tellLeft(id, ticket);
      },
    });
  }

  /** What is not heard is told again by the alarm. */
  #tellLeft(id: string, ticket: string): void {
    const epoch = this.#epoch;
    const forget = (): void => {
      if (epoch === this.#epoch) this.#enter((shell) => shell.forget(id));
    };
    this.#events.left?.(ticket).then(forget, () => undefined);
  }

  #nextId(prefix: string): string {
    this.#ids += 1;
    const id = `00000000-0000-7000-${this.#idMark}-${String(this.#ids).padStart(12, "0")}`;
    return prefix === "" ? id : `${prefix}_${id}`;
  }

  #latency(): number {
    return this.#random.int(1, 4);
  }

  #recover(): void {
    const sent = this.#enter((shell) => {
      shell.rearm();
      return [...shell.openMessages()].flat();
    });
    if (sent !== null) this.#sendHeld(sent.value);
  }

  #sendHeld(messages: readonly HeldMessage[]): void {
    this.#events.send(messages.filter((one): one is Extract<HeldMessage, DispatchMessage> => "event_id" in one));
    for (const message of messages) {
      if ("event_id" in message) continue;
      if (message.left !== undefined) this.#tellLeft(message.id, message.left);
      else if (this.#enter((shell) => shell.forget(message.id)) === null) return;
    }
  }

  #scheduleAlarm(): void {
    const at = this.storage.disk.alarmAt();
    if (at === this.#alarmAt) return;
    this.#alarmAt = at;
    if (at === null) return;
    this.#scheduler.after(at - this.#scheduler.now, () => {
      if (this.storage.disk.alarmAt() === at && this.#alarmAt === at) this.#fire();
    });
  }

  /** The alarm is fired at least once: one whose handler dies is fired again. */
  #fire(): void {
    this.storage.disk.setAlarm(null);
    this.#alarmAt = null;
    const due = this.#enter((shell) => shell.alarm());
    if (due !== null) return this.#sendHeld(due.value);
    const again = this.#scheduler.now + 2_000;
    this.storage.disk.setAlarm(Math.min(this.storage.disk.alarmAt() ?? again, again));
    this.#scheduleAlarm();
  }
}
