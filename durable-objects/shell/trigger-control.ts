import type { Admission } from "../../src/engine/trigger/admission.ts";
import { flowOf } from "../../src/engine/trigger/definition-handler.ts";
import type { EventRecord } from "../../src/engine/trigger/event.ts";
import type { FlowChanges, FlowSkipped, FlowWoken } from "../../src/engine/trigger/flow/changes.ts";
import { FlowControl } from "../../src/engine/trigger/flow/flow-control.ts";
import { requirementsOf } from "../../src/engine/trigger/flow/requirements.ts";
import type { FlowAudit } from "../../src/engine/trigger/flow/ticket.ts";
import type { Verdict } from "../../src/engine/trigger/match.ts";
import { keyOf } from "../../src/engine/trigger/predicate/expressions.ts";
import { bindingKey } from "../../src/engine/trigger/view.ts";
import { ok } from "../../src/lib/result.ts";
import type { LogRecord } from "../../src/engine/trigger/log.ts";
import { rfc3339 } from "../../src/lib/time.ts";
import type { Store } from "../storage/store.ts";
import { loadFlow, storeFlow } from "./flow-rows.ts";
import { type Judgement, PredicateDesk, type Question } from "./predicate-desk.ts";

/** How long a permit is held without anybody saying that its event is still handled. */
const PERMIT_LEASE_MS = 1_800_000;

/** Leases are prolonged to the last such moment before their end: otherwise each step of an event would write a row. */
const LEASE_STEP_MS = 600_000;

const leaseFrom = (time: number): number => Math.floor((time + PERMIT_LEASE_MS) / LEASE_STEP_MS) * LEASE_STEP_MS;

/** What flow control did to other events. */
export interface Moved {
  /** Events that go on now. */
  readonly woken: readonly FlowWoken[];
  readonly skipped: readonly FlowSkipped[];
  /** Events whose permits have run out. */
  readonly expired: readonly string[];
  readonly log: readonly LogRecord[];
  /** Whether there is more to do at the same time. */
  readonly more: boolean;
}

const isChange = ({ tickets, removed, hits, woken, skipped }: FlowChanges): boolean =>
  tickets.length + removed.length + hits.length + woken.length + skipped.length > 0;

const NOTHING: Moved = { woken: [], skipped: [], expired: [], log: [], more: false };

/**
 * What decides whether an event is handled now: predicate, autonomy budget and flow control of one trigger
 * (spec/triggers 8, steps 6 to 8). It lives in memory and writes its rows with `flush`, inside the caller's transaction;
 * when that is rolled back the instance is dropped and built again.
 */
export class TriggerControl {
  readonly #store: Store;
  readonly #flow: FlowControl;
  readonly #desk: PredicateDesk;
  #pending: FlowChanges[] = [];

  constructor(store: Store) {
    this.#store = store;
    this.#desk = new PredicateDesk(store);
    this.#flow = new FlowControl(loadFlow(store), { lease_ms: PERMIT_LEASE_MS });
  }

  /** Whether something has to be written. */
  get isPending(): boolean {
    return this.#desk.isDirty || this.#pending.some(isChange);
  }

  /** Whether an answer has to be kept so as to be given again: what it cost is counted, and no ticket tells of it. */
  isNews(key: string, answer: Admission["type"] | "ask" | "asked"): boolean {
    if (!this.isPending || answer === "ask" || answer === "asked") return false;
    return this.#desk.isDirty || answer === "skipped" || this.#flow.verdictOf(key).status === "unknown";
  }

  /** When `wake` has something to do next; null for never. */
  nextDueAt(): number | null {
    return this.#flow.nextDueAt();
  }

  /** Whether an event may be handled; asked again it says the same until something changes. */
  admit(
    record: EventRecord,
    request: { readonly key: string; readonly now: number; readonly judgement?: Judgement | undefined },
  ): Admission | { readonly type: "ask"; readonly question: Question } | { readonly type: "asked" } {
    if (record.status === "parked") return this.#enter(record, { ...request, verdicts: [] });
    const answer = this.#desk.judge(record, request);
    return answer.type === "passed" ? this.#enter(record, { ...request, verdicts: answer.verdicts }) : answer;
  }

  /** Gives an event its permits back for the next attempt, should it have lost them; false while it has to wait. */
  hold(key: string, now: number): boolean {
    if (this.#flow.verdictOf(key).status !== "suspended") {
      this.#pending.push(this.#flow.renew(key, leaseFrom(now)));
      return this.#flow.verdictOf(key).status !== "parked";
    }
    const { verdict, changes } = this.#flow.resume(key, now);
    this.#pending.push(changes);
    return verdict.status === "admitted";
  }

  /** Keeps the permits of an event until later. */
  renew(key: string, until: number): void {
    this.#pending.push(this.#flow.renew(key, leaseFrom(until)));
  }

  /** An event is over. */
  leave(key: string, now: number): void {
    this.#pending.push(this.#flow.leave(key, now));
  }

  /** Does what has become due. */
  wake(now: number): void {
    this.#pending.push(this.#flow.wake(now));
  }

  /** Writes what has changed since the last time, and says what that means for other events. */
  flush(now: number): Moved {
    const judged = this.#desk.flush();
    if (this.#pending.length === 0) return judged.length === 0 ? NOTHING : { ...NOTHING, log: judged };
    const pending = this.#pending;
    this.#pending = [];
    for (const changes of pending) storeFlow(this.#store, changes);
    return {
      woken: pending.flatMap(({ woken }) => woken),
      skipped: pending.flatMap(({ skipped }) => skipped),
      expired: pending.flatMap(({ expired }) => expired),
      log: [...judged, ...pending.flatMap(({ audit }) => audit.map((one) => auditRecord(one, now)))],
      more: pending.some(({ more }) => more),
    };
  }

  #enter(
    record: EventRecord,
    { key, now, verdicts }: { readonly key: string; readonly now: number; readonly verdicts: readonly Verdict[] },
  ): Admission {
    const { binding, event } = record;
    const evaluate = (expression: string) => ok(keyOf(expression, event).key);
    const found = requirementsOf(flowOf(binding.definition), { binding_key: bindingKey(binding), evaluate });
    if (!found.ok || found.value.length === 0) return { type: "admitted", verdicts, batch: null };
    const { verdict: stands, changes } = this.#flow.enter({ id: key, requirements: found.value }, now);
    this.#pending.push(changes);
    switch (stands.status) {
      case "admitted":
      case "unknown":
      case "suspended": {
        const batch = stands.status === "admitted" && stands.members.length > 0 ? stands.members : null;
        return { type: "admitted", verdicts: [...verdicts, verdict("passed", "there is room")], batch };
      }
      case "skipped":
        return skippedBy(stands.reason, [...verdicts, verdict("skipped", stands.reason)]);
      case "parked": {
        const held = record.status === "parked" ? [] : [verdict("held", `it waits for ${stands.on}`)];
        return { type: "parked", verdicts: [...verdicts, ...held], due_at: null };
      }
    }
  }
}

const auditRecord = ({ topic, kind, payload }: FlowAudit, now: number): LogRecord => ({
  topic,
  kind,
  headers: {},
  payload,
  occurred_at: rfc3339(now),
});

const verdict = (outcome: Verdict["outcome"], reason: string): Verdict => ({ stage: "flow_control", outcome, reason });

/** What flow control says to an event that it lets through; `members` are the keys of a batch, its own first. */
export const admittedBy = (members: readonly string[]): Admission => ({
  type: "admitted",
  verdicts: [verdict("passed", "there is room")],
  batch: members.length === 0 ? null : members,
});

/** The end of an event that flow control does not let through (spec/triggers 8, step 8). */
export const skippedBy = (reason: string, verdicts: readonly Verdict[]): Admission => ({
  type: "skipped",
  stage: "flow_control",
  verdicts,
  detail: { flow_control: reason },
  result: { skipped: true, flow_control: reason },
});
