import type { FlowChanges } from "../../../../src/engine/trigger/flow/changes.ts";
import { FlowControl, type FlowOptions, type FlowVerdict } from "../../../../src/engine/trigger/flow/flow-control.ts";
import type { FlowAudit, FlowHits, FlowRequirement, FlowTicket } from "../../../../src/engine/trigger/flow/ticket.ts";

/** The rows that a shell would keep, and the flow control on them. */
export class Gates {
  readonly tickets = new Map<string, FlowTicket>();
  readonly hits = new Map<string, FlowHits>();
  readonly audit: FlowAudit[] = [];
  /** What became of each dispatch, newest last: `w:<id>` woken, `s:<id>:<reason>` skipped, `e:<id>` expired. */
  readonly told: string[] = [];
  now = 1_000_000;
  flow: FlowControl;
  readonly #options: Partial<FlowOptions>;

  constructor(options: Partial<FlowOptions> = {}) {
    this.#options = options;
    this.flow = this.#load();
  }

  #load(): FlowControl {
    return new FlowControl({ tickets: this.tickets.values(), hits: this.hits.values() }, this.#options);
  }

  /** Forgets everything but the rows. */
  rebuild(): void {
    this.flow = this.#load();
  }

  commit(changes: FlowChanges): FlowChanges {
    for (const ticket of changes.tickets) this.tickets.set(ticket.id, ticket);
    for (const id of changes.removed) {
      if (!this.tickets.delete(id)) throw new Error(`the row of ${id} was deleted twice or never written`);
    }
    for (const row of changes.hits) {
      const key = `${row.primitive} ${row.gate}`;
      if (row.times.length === 0) this.hits.delete(key);
      else this.hits.set(key, row);
    }
    this.audit.push(...changes.audit);
    this.told.push(
      ...changes.woken.map(({ id }) => `w:${id}`),
      ...changes.skipped.map(({ id, reason }) => `s:${id}:${reason}`),
      ...changes.expired.map((id) => `e:${id}`),
    );
    return changes;
  }

  enter(id: string, ...requirements: readonly FlowRequirement[]): FlowVerdict {
    const { verdict, changes } = this.flow.enter({ id, requirements }, this.now);
    this.commit(changes);
    return verdict;
  }

  /** The verdict of an arrival in short. */
  said(id: string, ...requirements: readonly FlowRequirement[]): string {
    const verdict = this.enter(id, ...requirements);
    return verdict.status === "skipped" ? verdict.reason : verdict.status;
  }

  leave(id: string): void {
    this.commit(this.flow.leave(id, this.now));
  }

  /** Lets time pass and does all that is due then. */
  pass(ms: number): void {
    this.now += ms;
    while (this.commit(this.flow.wake(this.now)).more);
  }

  /** What was told since the last time, in order. */
  news(): readonly string[] {
    return this.told.splice(0);
  }

  kinds(): readonly string[] {
    return this.audit.map(({ kind }) => kind);
  }
}

const gate = "t@v1:_global";

export const batch = (size: number, timeout_ms: number): FlowRequirement => ({
  primitive: "batch",
  gate,
  size,
  timeout_ms,
});
export const debounce = (period_ms: number, of = gate): FlowRequirement => ({
  primitive: "debounce",
  gate: of,
  period_ms,
});
export const rateLimit = (max: number, period_ms: number, of = gate): FlowRequirement => ({
  primitive: "rate_limit",
  gate: of,
  max,
  period_ms,
});
export const throttle = (max: number, period_ms: number, of = gate): FlowRequirement => ({
  primitive: "throttle",
  gate: of,
  max,
  period_ms,
});
export const singleton = (of = gate): FlowRequirement => ({ primitive: "singleton", gate: of });
export const concurrency = (max: number, rank = 0, fair_key = ""): FlowRequirement => ({
  primitive: "concurrency",
  gate,
  max,
  rank,
  fair_key,
});
