import { type DispatchMessage, type HeldMessage } from "../../../durable-objects/shell/trigger-messages.ts";
import { TriggerShell } from "../../../durable-objects/shell/trigger-shell.ts";
import { sqliteStore } from "../../../durable-objects/storage/sqlite-store.ts";
import type { Store } from "../../../durable-objects/storage/store.ts";
import { dispatchEvent, type DispatchPorts } from "../../../src/driver/dispatch.ts";
import { storedDefinition } from "../../../src/engine/trigger/binding.ts";
import type { NormalisedEvent } from "../../../src/schema/trigger.ts";
import { definition, NOON, opened } from "../../unit/trigger/fixture.ts";
import type { WorkflowCall } from "./run-ledger.ts";
import { shown } from "./trigger-host.ts";

/** What events of a trigger cost: rows written, with one for each time the alarm is set. */
export interface EventCost {
  /** Of taking one in, at most. */
  readonly accept: number;
  /** Of one from its delivery to its end, on average. */
  readonly whole: number;
}

const unused = (): never => {
  throw new Error("nobody asks for this");
};

/** A trigger on a store that counts, whose queue and runs work at once and never fail. */
export class CostRig {
  readonly #disk = sqliteStore();
  readonly #shell: TriggerShell;
  #now = NOON;
  #alarms = 0;
  #ids = 0;
  #messages: DispatchMessage[] = [];
  readonly #ends: WorkflowCall[] = [];
  /** How often a handler was called. */
  started = 0;

  constructor(change: Readonly<Record<string, unknown>>) {
    const store: Store = {
      ...this.#disk,
      setAlarm: (at) => {
        this.#alarms += 1;
        this.#disk.setAlarm(at);
      },
    };
    this.#shell = new TriggerShell({
      store,
      context: () => ({ now: this.#now, nextId: (prefix) => `${prefix}_${++this.#ids}` }),
      objectId: "trigger",
      queuesForget: false,
      send: (messages) => void this.#messages.push(...messages),
      changed: () => undefined,
    });
    const given = definition({ match: {}, ...change });
    const command = { type: "configure", trigger_id: "hub", definition: storedDefinition(given) } as const;
    const configured = this.#shell.configure(command, "default");
    if (!configured.ok) throw new Error(JSON.stringify(configured.rejection));
  }

  get rows(): number {
    return this.#disk.rowsWritten() + this.#alarms;
  }

  /** Rows that are left of events that are over. */
  get left(): number {
    return Number(this.#disk.query("SELECT count(*) AS rows FROM outbox")[0]?.["rows"]);
  }

  /** Takes a delivery in and says what that has cost. */
  accept(event: NormalisedEvent): number {
    const before = this.rows;
    const answer = this.#shell.accept({ tenant: "default", version: 1, event });
    if (answer === "stale" || !answer.ok) throw new Error(JSON.stringify(answer));
    return this.rows - before;
  }

  delivery(number: number): number {
    const raw = { issue: { number }, gate: `gate-${number}`, group: "one" };
    return this.accept({
      ...opened,
      dedupe_key: `delivery-${number}`,
      provider_payload: { ...opened.provider_payload, raw },
    });
  }

  /** Lets time pass: messages, runs and alarms come when they do. */
  async pass(ms: number): Promise<void> {
    const until = this.#now + ms;
    for (;;) {
      await this.#work();
      const at = this.#disk.alarmAt();
      if (at === null || at > until) break;
      this.#now = Math.max(this.#now, at);
      this.#disk.setAlarm(null);
      this.#messages.push(...this.#shell.alarm().filter(isDispatch));
    }
    this.#now = until;
  }

  async #work(): Promise<void> {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) {
        const answer = await dispatchEvent(this.#ports(), message.dedupe_key);
        if (!answer.ok) throw new Error(answer.rejection.detail);
        continue;
      }
      const run = this.#ends.shift();
      if (run === undefined) return;
      const { dispatch_id, dedupe_key } = run.run.dispatch;
      const outcome = { type: "succeeded", result: null } as const;
      this.#shell.settle(dedupe_key, { dispatch_id, attempt: run.attempt, outcome });
    }
  }

  #ports(): DispatchPorts {
    return {
      now: () => this.#now,
      trigger: () => ({
        dispatch: async (key, given) => shown(this.#shell.dispatch(key, given)),
        settle: async (key, report) => shown(this.#shell.settle(key, report)),
      }),
      circuit: () => ({ allow: async () => ({ allowed: true }) as never, report: async () => ({}) as never }),
      startRun: async (call) => {
        this.started += 1;
        if (call.completion === "started") return { type: "succeeded", result: null };
        this.#ends.push(call);
        return { type: "running" };
      },
      perform: async () => {
        this.started += 1;
        return { type: "succeeded", result: null };
      },
      askModel: unused,
      cancelRun: unused,
      changed: () => undefined,
    };
  }
}

const isDispatch = (message: HeldMessage): message is Extract<HeldMessage, DispatchMessage> => "event_id" in message;
