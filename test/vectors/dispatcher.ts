import type { DispatchMessage } from "../../durable-objects/shell/trigger-messages.ts";
import { dispatchEvent, type DispatchPorts } from "../../src/driver/dispatch.ts";
import { lifecycleLog, matchingBindings } from "../../src/engine/trigger/binding-history.ts";
import type { EventRecord } from "../../src/engine/trigger/event.ts";
import { isFinal } from "../../src/engine/trigger/evolve.ts";
import type { CancelCause, HandlerOutcome, OutsideCall } from "../../src/engine/trigger/handler.ts";
import { bindingKey, type DispatchOutcome, dispatchOutcome } from "../../src/engine/trigger/view.ts";
import { performHandler } from "../../src/executor/handlers/perform.ts";
import type { HandlerPorts } from "../../src/executor/handlers/ports.ts";
import { byCodePoint, type JsonObject } from "../../src/lib/json.ts";
import { rfc3339 } from "../../src/lib/time.ts";
import type { TriggerEvent } from "../../src/schema/trigger.ts";
import { Agenda } from "./agenda.ts";
import type { Circuits } from "./circuits.ts";
import type { VirtualClock } from "./clock.ts";
import { definitionOf } from "./dispatch-definition.ts";
import { DispatchScript } from "./dispatch-script.ts";
import { EventLog } from "./event-log.ts";
import { OperationFailure } from "./operation.ts";
import { TriggerHost } from "./trigger-host.ts";

/** What dispatching reaches. */
interface Surroundings {
  readonly clock: VirtualClock;
  readonly circuits: Circuits;
  readonly handlers: () => HandlerPorts;
  /** Whether the vector scripts a remote agent, so that it is really called. */
  readonly isAgent: (authority: string) => boolean;
}

/** One event on its way to the triggers it matches, one after the other. */
export interface Dispatch {
  readonly id: string;
  readonly outcomes: DispatchOutcome[];
  readonly finished: boolean;
}

/** An event of a trigger. */
export interface Located {
  readonly host: TriggerHost;
  readonly key: string;
  readonly record: EventRecord;
}

interface Awaited {
  readonly host: TriggerHost;
  readonly key: string;
  readonly resolve: (record: EventRecord) => void;
}

/** How the process that dispatches counts what it does (spec/triggers 13.2). */
export interface DispatcherStats {
  readonly in_flight: number;
  readonly retry_queue_depth: number;
  readonly dlq_depth: number;
}

const IN_FLIGHT: ReadonlySet<EventRecord["status"]> = new Set(["accepted", "parked", "dispatching", "retrying"]);

const hasEnded = (record: EventRecord): boolean => !IN_FLIGHT.has(record.status) || isFinal(record);

const SHUTDOWN: CancelCause = "dispatcher shutdown";

const authorityOf = (target: string): string => target.split("/")[0] ?? "";

/** The process that dispatches events, over the product's loop, with a queue of messages in memory. */
export class Dispatcher {
  readonly log: EventLog;
  readonly agenda: Agenda;
  /** Calls of models by predicates so far. */
  llmCalls = 0;
  readonly #around: Surroundings;
  readonly #hosts = new Map<string, TriggerHost>();
  readonly #scripts = new Map<string, DispatchScript>();
  readonly #dispatches = new Map<string, Dispatch>();
  readonly #working = new Map<string, AbortController>();
  #messages: DispatchMessage[] = [];
  #awaited: Awaited[] = [];
  #rows = 0;
  #shutdown = false;
  #lettersBefore = 0;
  /** A cancellation that carries out a request that is in the log already. */
  #isStanding = false;

  constructor(around: Surroundings) {
    this.#around = around;
    this.log = new EventLog(around.clock);
    this.agenda = new Agenda(around.clock);
  }

  /** Installs triggers; a changed definition is a new version. */
  install(triggers: readonly JsonObject[]): void {
    for (const trigger of triggers) {
      const id = String(trigger["id"]);
      const definition = definitionOf(trigger);
      const host = this.#hosts.get(id) ?? this.#newHost(id);
      const before = lifecycleLog(host.shell.binding.state).length;
      host.configure(definition);
      this.#scripts.set(id, new DispatchScript(trigger));
      for (const { ...step } of lifecycleLog(host.shell.binding.state).slice(before))
        this.log.append("triggers.lifecycle", { kind: "state_transition", headers: {}, payload: { ...step } });
    }
  }

  get hosts(): readonly TriggerHost[] {
    return [...this.#hosts.values()].toSorted((left, right) => byCodePoint(left.id, right.id));
  }

  host(id: string): TriggerHost {
    const host = this.#hosts.get(id);
    if (host === undefined) throw new OperationFailure(`unknown trigger id '${id}'`);
    return host;
  }

  /** Every event with its trigger, in the order of triggers and arrival. */
  get events(): readonly Located[] {
    return this.hosts.flatMap((host) =>
      host.keys.flatMap((key) => {
        const found = host.shell.latest(key);
        return found === null ? [] : [{ host, key, record: found.record }];
      }),
    );
  }

  /** Begins to dispatch an event to every trigger that it matches, or to one. */
  start(event: TriggerEvent, triggerId: string | null = null): Dispatch {
    const dispatch = { id: this.#around.clock.nextId("dispatch"), outcomes: [], finished: false };
    this.#dispatches.set(dispatch.id, dispatch);
    void this.#run(dispatch, event, triggerId === null ? this.#matching(event) : [triggerId]);
    return dispatch;
  }

  dispatch(id: string): Dispatch {
    const dispatch = this.#dispatches.get(id);
    if (dispatch === undefined) throw new OperationFailure(`there is no dispatch '${id}'`);
    return dispatch;
  }

  /** Takes in an event for one trigger; no dedupe key is claimed. The promise is kept when its dispatch has ended. */
  accept(host: TriggerHost, event: TriggerEvent): Promise<Located> {
    const key = `${event.id}#${++this.#rows}`;
    const { id, trace_id, tenant_id, received_at: _at, ...normalised } = event;
    host.accept({ tenant: tenant_id, event: normalised, event_id: id, trace_id, key });
    this.applyCancelRequests();
    return this.ended(host, key);
  }

  /** Dispatches an event as a replay of one that was recorded elsewhere. */
  replay(host: TriggerHost, event: TriggerEvent, originalId: string): Promise<Located> {
    const number = ++this.#rows;
    const replay = { event_id: originalId, number, dlq_id: null, as_of: null, requested_by: null };
    const answer = host.shell.replayRecorded(event.id, event, replay);
    if (!answer.ok) throw new OperationFailure(answer.rejection.detail);
    const key = host.keys.find((one) => host.shell.latest(one)?.record.replay?.number === number);
    return this.ended(host, key ?? "");
  }

  /** The event of a row when its dispatch has ended. */
  ended(host: TriggerHost, key: string): Promise<Located> {
    return new Promise((resolve) => {
      this.#awaited.push({ host, key, resolve: (record) => resolve({ host, key, record }) });
    });
  }

  /** Carries out the requests of the log on what is open (spec/triggers 13.1); replays ignore them. */
  applyCancelRequests(): void {
    for (const { host, key, record } of this.events) {
      const isOpen = !isFinal(record) && record.cancel === null && record.replay === null;
      if (!isOpen || !this.log.hasCancelRequest(bindingKey(record.binding), record.event.id)) continue;
      this.#isStanding = true;
      host.shell.cancel(key, { requested_by: null, audit_id: null });
      this.#isStanding = false;
      this.#stop(host, key);
    }
  }

  /** Asks for an event's dispatch to stop. */
  requestCancel(request: {
    readonly binding_key: string;
    readonly event_id: string;
    readonly requested_by: string | null;
    readonly audit_id: string | null;
  }): void {
    const { binding_key, event_id, requested_by, audit_id } = request;
    const open = this.events.filter(
      ({ record }) =>
        !isFinal(record) &&
        record.replay === null &&
        record.event.id === event_id &&
        bindingKey(record.binding) === binding_key,
    );
    for (const { host, key } of open) {
      host.shell.cancel(key, { requested_by, audit_id });
      this.#stop(host, key);
    }
    if (open.length > 0) return;
    const payload = { ...request, requested_at: rfc3339(this.#around.clock.now) };
    this.log.append("trigger.cancel.requests", { kind: "dispatch_cancel_requested", headers: {}, payload });
  }

  /** Stops what is at work; from now on no remote agent is called. */
  shutDown(): void {
    this.#shutdown = true;
    for (const controller of this.#working.values()) controller.abort(SHUTDOWN);
    this.#endRetryWaits();
  }

  get stats(): DispatcherStats {
    const statuses = this.events.map(({ record }) => record.status);
    return {
      in_flight: statuses.filter((status) => IN_FLIGHT.has(status)).length,
      retry_queue_depth: statuses.filter((status) => status === "retrying").length,
      dlq_depth: this.deadLetters.length,
    };
  }

  /** What this process has moved to the dead letters. */
  get deadLetters(): readonly JsonObject[] {
    return this.#moved.slice(this.#lettersBefore);
  }

  /** Until everything waits for time. */
  async settle(): Promise<void> {
    for (;;) {
      await this.agenda.quiet();
      if (this.#shutdown) this.#endRetryWaits();
      const message = this.#messages.shift();
      if (message !== undefined) this.agenda.begin(() => this.#consume(message));
      else if (!this.#resolveEnded()) return;
    }
  }

  /** When something is due; null for never. */
  get nextAt(): number | null {
    const times = [this.agenda.nextAt, ...this.hosts.map(({ alarmAt }) => alarmAt)].filter((at) => at !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** Does what is due. */
  wake(): void {
    this.agenda.wake();
    for (const host of this.hosts) host.wake();
  }

  /** Only what is stored survives. */
  restart(): void {
    this.agenda.clear();
    this.#messages = [];
    this.#working.clear();
    this.#shutdown = false;
    this.#lettersBefore = this.#moved.length;
    for (const host of this.hosts) host.restart();
  }

  close(): void {
    for (const host of this.hosts) host.close();
  }

  get #moved(): readonly JsonObject[] {
    const records = this.log.everywhere("trigger.dlq").filter(({ kind }) => kind === "dlq_moved");
    return records.map(({ payload }) => payload as JsonObject);
  }

  #newHost(id: string): TriggerHost {
    const host = new TriggerHost(id, this.#around.clock, {
      send: (messages) => void this.#messages.push(...messages),
      log: (records) => {
        const isKnown = (topic: string): boolean => this.#isStanding && topic === "trigger.cancel.requests";
        this.log.record(records.filter(({ topic }) => !isKnown(topic)));
      },
    });
    this.#hosts.set(id, host);
    return host;
  }

  #matching(event: TriggerEvent): readonly string[] {
    return matchingBindings(
      this.hosts.map(({ shell }) => shell.binding.state),
      event,
    ).map(({ id }) => id);
  }

  async #run(dispatch: Dispatch, event: TriggerEvent, ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const { record } = await this.accept(this.host(id), event);
      dispatch.outcomes.push(dispatchOutcome(record));
    }
    Object.assign(dispatch, { finished: true });
  }

  #resolveEnded(): boolean {
    let resolved = false;
    this.#awaited = this.#awaited.filter(({ host, key, resolve }) => {
      const record = host.shell.latest(key)?.record;
      if (record === undefined || !hasEnded(record)) return true;
      resolve(record);
      resolved = true;
      return false;
    });
    return resolved;
  }

  #stop(host: TriggerHost, key: string): void {
    const cause: CancelCause = "trigger cancel request";
    this.#working.get(`${host.id}\n${key}`)?.abort(cause);
  }

  #endRetryWaits(): void {
    for (const { host, key, record } of this.events)
      if (record.status === "retrying") host.shell.cancel(key, { requested_by: null, audit_id: null, cause: SHUTDOWN });
  }

  async #consume({ trigger_id, dedupe_key: key }: DispatchMessage): Promise<void> {
    const host = this.host(trigger_id);
    const answer = await dispatchEvent(this.#ports(host, key), key);
    if (!answer.ok) throw new Error(answer.rejection.detail);
  }

  #ports(host: TriggerHost, key: string): DispatchPorts {
    const { clock, circuits } = this.#around;
    return {
      now: () => clock.now,
      trigger: () => host,
      circuit: (destination) => ({
        allow: async (ask) => circuits.named(destination).allow(ask),
        report: async (report) => circuits.named(destination).report(report),
      }),
      startRun: () => Promise.reject(new Error("vectors dispatch to no workflow")),
      cancelRun: () => Promise.resolve(),
      changed: () => {},
      perform: (call) => this.#perform(host, key, call),
      askModel: async (question) => {
        const { takes_ms, judgement, llm_calls } = this.#script(host).judging(question);
        this.llmCalls += llm_calls;
        await this.agenda.wait(takes_ms, new AbortController().signal);
        return judgement;
      },
    };
  }

  #script({ id }: TriggerHost): DispatchScript {
    const script = this.#scripts.get(id);
    if (script === undefined) throw new Error(`trigger ${id} has no script`);
    return script;
  }

  async #perform(host: TriggerHost, key: string, call: OutsideCall): Promise<HandlerOutcome> {
    const { handlers, isAgent } = this.#around;
    const controller = new AbortController();
    const { signal } = controller;
    // A job is given to its queue, whatever becomes of this process.
    if (call.kind === "worker") return performHandler(call, handlers(), signal);
    if (this.#shutdown) controller.abort(SHUTDOWN);
    const name = `${host.id}\n${key}`;
    this.#working.set(name, controller);
    const script = this.#script(host);
    const isReal = call.kind === "a2a" && (isAgent(authorityOf(call.target)) || !script.isHandled);
    const { takes_ms, outcome } = script.handling(call);
    if (!isReal) await this.agenda.wait(takes_ms, signal);
    if (this.#working.get(name) === controller) this.#working.delete(name);
    return isReal || signal.aborted ? performHandler(call, handlers(), signal) : outcome;
  }
}
