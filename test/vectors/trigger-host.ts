import { type EventAnswer as ShellAnswer, type Delivery } from "../../durable-objects/shell/trigger-requests.ts";
import { TriggerShell } from "../../durable-objects/shell/trigger-shell.ts";
import type { DispatchMessage } from "../../durable-objects/shell/trigger-messages.ts";
import { sqliteStore } from "../../durable-objects/storage/sqlite-store.ts";
import type { EventAnswer } from "../../durable-objects/trigger.ts";
import type { DispatchedTrigger } from "../../src/driver/dispatch.ts";
import type { Answer } from "../../src/engine/machine.ts";
import { handlerKindOf } from "../../src/engine/trigger/definition-handler.ts";
import type { LogRecord } from "../../src/engine/trigger/log.ts";
import { deadLetterChange, eventRow } from "../../src/engine/trigger/view.ts";
import type { StoredDefinition } from "../../src/schema/trigger-definition.ts";
import type { VirtualClock } from "./clock.ts";
import { OperationFailure } from "./operation.ts";

/** The time of an object. */
export type HostClock = Pick<VirtualClock, "now" | "context">;

/** What a trigger's object does to its surroundings. */
interface Around {
  readonly send: (messages: readonly DispatchMessage[]) => void;
  readonly log: (records: readonly LogRecord[]) => void;
}

const NOWHERE: Around = { send: () => {}, log: () => {} };

const shown = (answer: Answer<ShellAnswer>): Answer<EventAnswer> => {
  if (!answer.ok) return answer;
  const { record, seq, reply, order, cancel_run } = answer.reply;
  const dead_letter = deadLetterChange(record, seq);
  const handler_kind = handlerKindOf(record.binding.definition);
  return { ok: true, reply: { reply, row: eventRow(record), seq, dead_letter, handler_kind, order, cancel_run } };
};

/** One trigger's object: the product's shell on its storage, with virtual time in place of the platform's. */
export class TriggerHost implements DispatchedTrigger {
  readonly id: string;
  clock: HostClock;
  readonly #around: Around;
  readonly #store = sqliteStore();
  shell: TriggerShell;

  constructor(id: string, clock: HostClock, around: Around = NOWHERE) {
    this.id = id;
    this.clock = clock;
    this.#around = around;
    this.shell = this.#load();
  }

  /** The keys of its events in the order in which they came. */
  get keys(): readonly string[] {
    return this.shell.binding.state.status === "absent"
      ? []
      : this.#store.query("SELECT dedupe_key FROM event").map((row) => String(row["dedupe_key"]));
  }

  /** Puts a definition; the same one again changes nothing. */
  configure(definition: StoredDefinition): number {
    const answer = this.shell.configure({ type: "configure", trigger_id: this.id, definition, source: "manifest" });
    if (!answer.ok) throw new OperationFailure(answer.rejection.detail);
    return answer.reply.version;
  }

  /** Takes in an event under the current definition. */
  accept(delivery: Omit<Delivery, "version">): ShellAnswer {
    const { state } = this.shell.binding;
    const version = state.status === "absent" ? 0 : state.current.version;
    const answer = this.shell.accept({ ...delivery, version });
    if (answer === "stale") throw new Error("the version is the current one");
    if (!answer.ok) throw new OperationFailure(answer.rejection.detail);
    return answer.reply;
  }

  readonly dispatch: DispatchedTrigger["dispatch"] = async (key, given) => shown(this.shell.dispatch(key, given));

  readonly settle: DispatchedTrigger["settle"] = async (key, report) => shown(this.shell.settle(key, report));

  /** When the alarm rings; null for never. */
  get alarmAt(): number | null {
    return this.#store.alarmAt();
  }

  /** Rings the alarm when its time has come. */
  wake(): void {
    const at = this.#store.alarmAt();
    if (at === null || at > this.clock.now) return;
    this.#store.setAlarm(null);
    const messages = this.shell.alarm();
    this.#around.send(
      messages.filter((message): message is DispatchMessage & { version: number } => "event_id" in message),
    );
  }

  /** Throws away everything in memory. */
  restart(): void {
    this.shell = this.#load();
    this.shell.rearm();
  }

  close(): void {
    this.#store.close();
  }

  #load(): TriggerShell {
    const shell = new TriggerShell({
      store: this.#store,
      context: () => this.clock.context,
      objectId: `trigger/${this.id}`,
      queuesForget: false,
      changed: () => {},
      ...this.#around,
    });
    // Events count from here on.
    void shell.load;
    return shell;
  }
}
