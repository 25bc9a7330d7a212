import type { FlowRows } from "../../../src/engine/trigger/flow/flow-control.ts";
import { permitsOf } from "../../../src/engine/trigger/flow/ticket.ts";
import { Violation } from "../violation.ts";
import type { SeenEvent } from "./checker.ts";
import type { WatchedTrigger } from "./watched-trigger.ts";

/** Looks at the rows of flow control (T8, T9). */
export class FlowWatch {
  readonly #trigger: WatchedTrigger;
  /** The hits that each window ever counted. */
  readonly #hits = new Map<string, { times: number[]; last: string }>();

  constructor(trigger: WatchedTrigger) {
    this.#trigger = trigger;
  }

  check(flow: FlowRows, events: ReadonlyMap<string, SeenEvent>): void {
    this.#checkPermits(flow, events);
    this.#checkWindows(flow);
  }

  #checkPermits({ tickets }: FlowRows, events: ReadonlyMap<string, SeenEvent>): void {
    const held = new Map<string, number>();
    const limits = new Map<string, number>();
    const states = new Map<string, string>();
    const { counters } = this.#trigger.world;
    for (const ticket of tickets) {
      states.set(ticket.id, ticket.state);
      for (const permit of permitsOf(ticket)) {
        const gate = `${permit.primitive} ${permit.gate}`;
        const count = (held.get(gate) ?? 0) + 1;
        held.set(gate, count);
        // Versions share a gate and may have another limit each: the last one in went by its own.
        const limit = Math.max(permit.primitive === "singleton" ? 1 : permit.max, limits.get(gate) ?? 1);
        limits.set(gate, limit);
      }
      const status = events.get(ticket.id)?.record.status;
      if (status === undefined) throw new Violation("T8 permits", `the ticket of ${ticket.id} has no event`);
    }
    for (const [gate, limit] of limits)
      if ((held.get(gate) ?? 0) > limit)
        throw new Violation("T8 permits", `${gate} holds ${held.get(gate)} permits of ${limit}`);
    counters.most_permits = Math.max(counters.most_permits, ...held.values());
    for (const { key, record } of events.values()) {
      const { definition } = record.binding;
      if (record.status !== "dispatching" || (definition.concurrency ?? definition.singleton) === undefined) continue;
      const state = states.get(key);
      if (state !== "admitted" && state !== "suspended")
        throw new Violation("T8 permits", `${key} is handled, and its ticket is ${state ?? "gone"}`);
    }
    for (const [id, state] of states) {
      const status = events.get(id)?.record.status;
      const isOver =
        status !== undefined && ["dispatched", "skipped", "failed", "cancelled", "dead_lettered"].includes(status);
      if (isOver) throw new Violation("T8 permits", `${id} is ${status}, and its ticket is still ${state}`);
    }
  }

  #checkWindows({ hits }: FlowRows): void {
    for (const { primitive, gate, period_ms, times } of hits) {
      const name = `${primitive} ${gate}`;
      const text = JSON.stringify(times);
      const known = this.#hits.get(name) ?? { times: [], last: "" };
      if (known.last === text) continue;
      const last = known.times.at(-1) ?? -Infinity;
      const same = times.filter((at) => at === last).length - known.times.filter((at) => at === last).length;
      const more = [...Array.from({ length: Math.max(0, same) }, () => last), ...times.filter((at) => at > last)];
      const all = [...known.times, ...more];
      this.#hits.set(name, { times: all, last: text });
      const max = this.#maxOf(gate, primitive);
      if (max === null) continue;
      for (let index = max; index < all.length; index += 1)
        if ((all[index] as number) - (all[index - max] as number) < period_ms)
          throw new Violation("T9 window", `${name} counted more than ${max} within ${period_ms} ms`);
    }
  }

  /** The limit of a gate of one version; what goes across versions may have had several. */
  #maxOf(gate: string, primitive: "rate_limit" | "throttle"): number | null {
    const version = /@v(\d+):/.exec(gate)?.[1];
    const definition = version === undefined ? undefined : this.#trigger.versions.get(Number(version));
    return definition?.[primitive]?.max ?? null;
  }
}
