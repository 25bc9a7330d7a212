import { RUN } from "../../durable-objects/migrations/journaled.ts";
import { MachineShell } from "../../durable-objects/shell/machine-shell.ts";
import { sqliteStore } from "../../durable-objects/storage/sqlite-store.ts";
import { AUDIT_TOPIC, auditEntries, auditRecord, pipelineIdOf } from "../../src/engine/finish/audit.ts";
import type { LifecycleCommand, LifecycleEvent, LifecycleOutcome } from "../../src/engine/finish/command.ts";
import { lifecycleMachine } from "../../src/engine/finish/machine.ts";
import type { AuditEntry, Lifecycle } from "../../src/engine/finish/state.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import type { VirtualClock } from "./clock.ts";
import type { EventLog } from "./event-log.ts";
import { OperationFailure } from "./operation.ts";

type Shell = MachineShell<Lifecycle, LifecycleCommand, LifecycleEvent, never, LifecycleOutcome>;

/** A command without the pipeline, which follows from the session. */
type Told = LifecycleCommand extends infer C ? (C extends LifecycleCommand ? Omit<C, "pipeline_id"> : never) : never;

/** The lifecycle of the pipeline under test: the product's machine in its shell on its storage. */
export class LifecycleObject {
  readonly #clock: VirtualClock;
  readonly #log: () => EventLog;
  #store = sqliteStore();
  #shell: Shell;
  /** The newest entry that somebody has taken. */
  #taken = 0;
  /** The mutation session in whose name everything happens; null for none. */
  session: JsonObject | null = null;

  constructor(clock: VirtualClock, log: () => EventLog) {
    this.#clock = clock;
    this.#log = log;
    this.#shell = this.#load();
  }

  get state(): Lifecycle {
    return this.#shell.state;
  }

  tell(command: Told): LifecycleOutcome {
    const pipeline_id = pipelineIdOf(this.session);
    const answer = this.#shell.execute({ ...command, pipeline_id } as LifecycleCommand);
    if (!answer.ok) throw new OperationFailure(answer.rejection.detail);
    return answer.reply;
  }

  /** The audit after what was taken. */
  audit(): readonly AuditEntry[] {
    return auditEntries(this.#shell.entries(), this.#taken);
  }

  /** The same, which is then taken. */
  take(): readonly AuditEntry[] {
    const entries = this.audit();
    this.#taken = entries.at(-1)?.seq ?? this.#taken;
    return entries;
  }

  /** Begins anew, with nothing of what was. */
  clear(): void {
    this.#store.close();
    this.#store = sqliteStore();
    this.#taken = 0;
    this.#shell = this.#load();
  }

  /** Throws away everything in memory; what is stored is loaded again. */
  restart(): void {
    this.#shell = this.#load();
  }

  close(): void {
    this.#store.close();
  }

  #load(): Shell {
    return new MachineShell(
      {
        machine: lifecycleMachine,
        store: this.#store,
        migrations: RUN,
        reducerVersion: 1,
        headOf: () => null,
        wakeAt: () => null,
        context: () => this.#clock.context,
        objectId: "lifecycle",
      },
      ({ entry }) => {
        for (const record of auditEntries([entry]).map(auditRecord)) this.#log().append(AUDIT_TOPIC, record);
      },
    );
  }
}
