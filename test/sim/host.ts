import { sqliteStore } from "../../durable-objects/storage/sqlite-store.ts";
import type { HostedClass, HostedObject } from "./real-object.ts";
import type { Platform } from "./platform.ts";

/** Whoever waits for an answer; nothing comes back to one that is gone. */
export interface Caller {
  readonly later: <T>(start: (resolve: (value: T) => void, reject: (fault: unknown) => void) => void) => Promise<T>;
}

/** What looks at an object from outside. */
export interface Watch {
  /** The newest commit on its disk. */
  readonly diskSeq: () => number;
  /** A call has left the object; `before` was its newest commit. */
  readonly entered: (name: string, before: number) => void;
}

/** Which object a host hosts, and what its environment is as long as the instance lives. */
export interface Hosted<Instance extends HostedObject> {
  readonly name: string;
  readonly variant: HostedClass<Instance>;
  readonly watch: () => Watch;
  readonly env: (caller: Caller, isAlive: () => boolean) => Env;
}

/** What the platform throws at a caller when the object was reset under it. */
const resetFault = (): Error =>
  Object.assign(new Error("the object was reset"), { retryable: true, durableObjectReset: true });

class Crash extends Error {}

type Doom = "crash_in_commit" | "storage_fault";

/** What a call led to inside the object. */
interface Called<Reply> {
  readonly reply: Reply;
}

/** The platform around one object: its disk and alarm live on, its memory does not. */
export class ObjectHost<Instance extends HostedObject> {
  readonly store = sqliteStore();
  readonly #world: Platform;
  readonly #hosted: Hosted<Instance>;
  #instance: Instance | null = null;
  /** Counts instances: a stub, a promise or a pending call belongs to one of them. */
  #epoch = 0;
  #class: HostedClass<Instance>;
  #doom: Doom | null = null;
  /** How many commits of the call go well before the one that is doomed. */
  #spared = 0;
  /** A call is in the object just now; what an instance does later, by itself, is not. */
  #isEntered = false;
  /** The instance dies as soon as the call that it is in has come back. */
  #isDying = false;
  #hasFailed = false;
  #alarmRuns = false;
  #scheduledAlarm: number | null = null;
  #alarmFailures = 0;

  constructor(world: Platform, hosted: Hosted<Instance>) {
    this.#world = world;
    this.#hosted = hosted;
    this.#class = hosted.variant;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Whether there is an instance that knows its state: one whose load has failed knows as little as none. */
  get isLoaded(): boolean {
    return this.#instance !== null && !this.#hasFailed;
  }

  /** The object, loaded when it has to be. */
  object(): Instance {
    this.#instance ??= new this.#class(this.#context(this.#epoch), this.#env(this.#epoch));
    return this.#instance;
  }

  /** Ends the instance; its memory and whatever it waits for are lost. */
  reset(why: string, next: HostedClass<Instance> = this.#class): void {
    this.#world.trace(`${this.#hosted.name}: ${why}`);
    this.#class = next;
    this.#instance = null;
    this.#hasFailed = false;
    this.#epoch += 1;
    if (!this.#alarmRuns) return;
    this.#alarmRuns = false;
    if (this.#world.faults.hits("alarm_lost")) this.#world.trace("the alarm that was running is lost");
    else this.store.setAlarm(Math.min(this.store.alarmAt() ?? Infinity, this.#world.clock() + 2_000));
  }

  /** Calls the object from a process through a stub of an epoch. */
  call<Reply>(from: Caller, epoch: number, name: string, call: (object: Instance) => Reply): Promise<Reply> {
    const { faults, scheduler } = this.#world;
    const delay = faults.hits("rpc_delay") ? faults.random("rpc_delay").int(500, 12_000) : 0;
    return from.later((resolve, reject) => {
      scheduler.after(this.#world.latency() + delay, () => {
        if (faults.hits("rpc_lost")) return reject(Object.assign(new Error("network lost"), { retryable: true }));
        if (epoch !== this.#epoch) return reject(resetFault());
        if (faults.hits("reset_before_call")) {
          this.reset(`reset before ${name}`);
          return reject(resetFault());
        }
        const called = this.enter(name, call);
        if (called instanceof Error) return reject(called);
        if (faults.hits("answer_lost")) return reject(Object.assign(new Error("network lost"), { retryable: true }));
        if (faults.hits("crash_after_commit")) {
          this.reset(`crash after ${name}`);
          return reject(resetFault());
        }
        const { reply } = called;
        const copy = reply === undefined ? reply : (JSON.parse(JSON.stringify(reply)) as Reply);
        const answered = this.#epoch;
        scheduler.after(this.#world.latency(), () => (answered === this.#epoch ? resolve(copy) : reject(resetFault())));
      });
    });
  }

  /** Fires the alarm when its time comes; call it after every step. */
  scheduleAlarm(): void {
    const at = this.store.alarmAt();
    if (at === this.#scheduledAlarm) return;
    this.#scheduledAlarm = at;
    if (at !== null) this.#awaitAlarm(at);
  }

  /** The alarm goes by the clock, which does not show what it showed. */
  clockJumped(): void {
    this.#scheduledAlarm = null;
    this.scheduleAlarm();
  }

  #awaitAlarm(at: number): void {
    const { scheduler } = this.#world;
    scheduler.after(at - this.#world.clock(), () => {
      if (this.store.alarmAt() !== at || this.#scheduledAlarm !== at) return;
      // The clock was set back meanwhile, or the handler still runs.
      if (at > this.#world.clock()) return this.#awaitAlarm(at);
      if (this.#alarmRuns) return void scheduler.after(5, () => this.#awaitAlarm(at));
      this.#fire();
    });
  }

  #fire(): void {
    this.store.setAlarm(null);
    this.#scheduledAlarm = null;
    this.#alarmRuns = true;
    this.#world.trace(`${this.#hosted.name}: alarm`);
    const epoch = this.#epoch;
    const called = this.enter("alarm", (object) => object.alarm());
    if (called instanceof Error) {
      if (epoch === this.#epoch) this.#alarmFailed();
      return;
    }
    if (this.#world.faults.draws("alarm_crash"))
      this.#world.scheduler.after(1, () => {
        if (epoch !== this.#epoch || !this.#alarmRuns) return;
        this.#world.faults.counts.alarm_crash += 1;
        this.reset("crash while the alarm handler waits");
      });
    called.reply.then(
      () => this.#alarmEnded(epoch),
      () => {
        if (epoch === this.#epoch) this.#alarmFailed();
      },
    );
  }

  #alarmEnded(epoch: number): void {
    if (epoch !== this.#epoch) return;
    this.#alarmRuns = false;
    this.#alarmFailures = 0;
  }

  /** The platform tries a handler that throws six times more, then drops the alarm for good. */
  #alarmFailed(): void {
    this.#alarmRuns = false;
    this.#alarmFailures += 1;
    this.#world.trace(`the alarm handler threw, ${this.#alarmFailures} times now`);
    if (this.#alarmFailures <= 6) this.store.setAlarm(this.#world.clock() + 2_000);
  }

  /** Calls the object at once; an error is what the caller gets. */
  enter<Reply>(name: string, call: (object: Instance) => Reply): Called<Reply> | Error {
    const watch = this.#hosted.watch();
    this.#doom = this.#drawDoom();
    this.#spared = this.#doom === null ? 0 : (this.#world.spared?.() ?? 0);
    const before = watch.diskSeq();
    this.#isEntered = true;
    try {
      const reply = call(this.object());
      if (reply instanceof Promise) reply.catch(() => {});
      this.#hasFailed = false;
      if (!this.#isDying) {
        watch.entered(name, before);
        return { reply };
      }
    } catch (error) {
      if (error instanceof Error && error.message === STORAGE_FAULT) {
        this.#hasFailed = true;
        return error;
      }
      if (!(error instanceof Crash)) throw error;
    } finally {
      this.#doom = null;
      this.#isEntered = false;
    }
    this.#isDying = false;
    this.reset(`crash in a commit of ${name}`);
    return resetFault();
  }

  #drawDoom(): Doom | null {
    const { faults } = this.#world;
    if (faults.draws("crash_in_commit")) return "crash_in_commit";
    return faults.draws("storage_fault") ? "storage_fault" : null;
  }

  /** An instance that dies in a write of its own, while nobody calls it, is gone as soon as the write is undone. */
  #diesAlone(): void {
    if (this.#isEntered || !this.#isDying) return;
    this.#isDying = false;
    this.reset("crash in a commit of its own");
  }

  /** Hits at the end of a transaction, or before a statement that is one by itself. */
  #strike(): void {
    const doom = this.#isEntered ? this.#doom : this.#drawDoom();
    if (doom === null) return;
    if (this.#isEntered && this.#spared > 0) {
      this.#spared -= 1;
      return;
    }
    this.#doom = null;
    this.#world.faults.counts[doom] += 1;
    if (doom === "crash_in_commit") {
      this.#isDying = true;
      throw new Crash();
    }
    this.#world.trace(`${this.#hosted.name}: a transaction fails`);
    throw new Error(STORAGE_FAULT);
  }

  #context(epoch: number): DurableObjectState {
    const { store } = this;
    const alive = (): void => {
      if (epoch !== this.#epoch || this.#isDying) throw new Crash();
    };
    let depth = 0;
    const strikeAlone = (): void => {
      try {
        this.#strike();
      } finally {
        this.#diesAlone();
      }
    };
    const storage = {
      sql: {
        exec: (sql: string, ...bindings: (string | number | null)[]) => {
          alive();
          if (/^\s*SELECT/i.test(sql)) return { toArray: () => store.query(sql, ...bindings), rowsWritten: 0 };
          if (depth === 0) strikeAlone();
          return { toArray: () => [], rowsWritten: store.write(sql, ...bindings) };
        },
      },
      transactionSync: <T>(body: () => T): T => {
        alive();
        depth += 1;
        try {
          return store.transaction(() => {
            const value = body();
            this.#strike();
            return value;
          });
        } finally {
          depth -= 1;
          if (depth === 0) this.#diesAlone();
        }
      },
      setAlarm: (at: number) => {
        alive();
        this.#world.counters.alarms_set += 1;
        store.setAlarm(at);
      },
      deleteAlarm: () => {
        alive();
        store.setAlarm(null);
      },
    };
    const ctx = {
      id: { toString: () => this.#hosted.name },
      storage,
      waitUntil: (promise: Promise<unknown>) =>
        void promise.catch((fault: unknown) => {
          // The platform notes what a promise fails with that nobody waits for; the alarm looks after the rest.
          const isSimulated = fault instanceof Crash || (fault as Error).message === STORAGE_FAULT;
          if (!isSimulated) this.#world.stray(fault);
        }),
      getWebSockets: () => [],
    };
    return ctx as unknown as DurableObjectState;
  }

  #env(epoch: number): Env {
    const isAlive = (): boolean => epoch === this.#epoch;
    const guarded =
      <Arguments extends unknown[]>(go: (...given: Arguments) => void) =>
      (...given: Arguments): void => {
        if (isAlive()) go(...given);
      };
    const caller: Caller = {
      later: (start) => new Promise((resolve, reject) => start(guarded(resolve), guarded(reject))),
    };
    return this.#hosted.env(caller, isAlive);
  }
}

const STORAGE_FAULT = "storage: the transaction failed";
