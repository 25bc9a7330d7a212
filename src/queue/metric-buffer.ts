import type { Bindings } from "../http/call.ts";
import { normalLabels, mergedSeries, type MetricLabels, observation, type Series } from "../lib/metric-series.ts";
import type { Metrics } from "../ports/metrics.ts";
import { report, textOf } from "./report.ts";

/** An invocation may write 250 points. */
const MAX_POINTS = 200;

/** Series in one message: well below the 128 KB that a message may have. */
const MAX_SERIES = 200;

/** What strangers cause is told at most so often. */
const HOLD_MS = 10_000;
const MAX_HELD_TENANTS = 1_000;

const MAX_INDEX_BYTES = 96;

interface Held {
  readonly series: readonly Series[];
  readonly told_at_ms: number;
}

// In the isolate only: an eviction forgets at most what refused deliveries of ten seconds would have added.
const held = new Map<string, Held>();

/** The part of a text that fits: an index has at most 96 bytes, and ids of triggers are ASCII. */
const indexOf = (labels: MetricLabels): string => (labels["trigger_id"] ?? "none").slice(0, MAX_INDEX_BYTES);

/**
 * What one request or batch counts (spec/triggers 21, 26.2). Each sample becomes a point of Analytics Engine at once, where
 * that is bound, and is kept for the counters in the database, which are told once, at the end: with the message about the
 * event (`take`), or with one of its own (`flush`, `rest`). Nothing here fails, and figures that cannot be told are lost.
 */
export class MetricBuffer {
  readonly #env: Pick<Bindings, "INDEX_QUEUE"> & Partial<Pick<Bindings, "METRICS">>;
  readonly #added = new Map<string, Series[]>();
  #points = 0;

  constructor(env: Pick<Bindings, "INDEX_QUEUE"> & Partial<Pick<Bindings, "METRICS">>) {
    this.#env = env;
  }

  /** Counts for a tenant. */
  for(tenant: string): Metrics {
    return {
      count: (name, labels, by = 1) => this.#add(tenant, { name, labels, value: by }),
      observe: (name, labels, value) => this.#add(tenant, observation(name, labels, Math.max(0, value))),
    };
  }

  /** Hands over what is to be added for a tenant, for a message that is sent anyway. */
  take(tenant: string): readonly Series[] {
    const before = held.get(tenant)?.series ?? [];
    held.delete(tenant);
    const merged = mergedSeries([...before, ...(this.#added.get(tenant) ?? [])]);
    this.#added.set(tenant, merged.slice(MAX_SERIES));
    return merged.slice(0, MAX_SERIES);
  }

  /** Tells what has not been handed over: one message for each tenant. */
  async flush(): Promise<void> {
    await Promise.all([...this.#added.keys()].map((tenant) => this.#tell(tenant)));
  }

  /** The same for what anybody can cause without a key: most of it waits in this isolate for the next message. */
  async rest(now: number): Promise<void> {
    for (const [tenant, added] of this.#added) {
      const known = held.get(tenant);
      if (known === undefined && held.size >= MAX_HELD_TENANTS) held.clear();
      const isDue = known === undefined || now - known.told_at_ms >= HOLD_MS;
      if (isDue) await this.#tell(tenant);
      else this.#added.delete(tenant);
      const series = isDue ? [] : mergedSeries([...known.series, ...added]).slice(0, MAX_SERIES);
      held.set(tenant, { series, told_at_ms: isDue ? now : known.told_at_ms });
    }
  }

  async #tell(tenant: string): Promise<void> {
    for (let metrics = this.take(tenant); metrics.length > 0; metrics = this.take(tenant)) {
      try {
        await this.#env.INDEX_QUEUE.send({ v: 1, tenant, metrics });
      } catch (error) {
        report("the metrics could not be told", { tenant, series: metrics.length, error: textOf(error) });
      }
    }
  }

  #add(tenant: string, series: Series): void {
    if (!Number.isFinite(series.value)) return;
    const added = this.#added.get(tenant);
    if (added === undefined) this.#added.set(tenant, [series]);
    else added.push(series);
    this.#write(tenant, series);
  }

  #write(tenant: string, { name, labels, value }: Series): void {
    if (this.#env.METRICS === undefined || this.#points >= MAX_POINTS) return;
    this.#points += 1;
    const { binding_key = "", provider = "", status, outcome, reason } = normalLabels(labels);
    try {
      this.#env.METRICS.writeDataPoint({
        indexes: [indexOf(labels)],
        blobs: [name, binding_key, provider, tenant, status ?? outcome ?? reason ?? ""],
        doubles: [value],
      });
    } catch (error) {
      report("a point could not be written", { metric: name, error: textOf(error) });
    }
  }
}
