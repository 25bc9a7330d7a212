import { parseDuration } from "../../../lib/duration.ts";
import { canonicalJson, type Json } from "../../../lib/json.ts";
import { err, ok, type Result } from "../../../lib/result.ts";
import { FLOW_ORDER, type FlowPrimitive, type FlowRequirement } from "./ticket.ts";

interface Keyed {
  readonly key?: string | undefined;
  /** The gate outlives a new version of the binding. */
  readonly across_versions?: boolean | undefined;
}

/** A period as definitions write it, or its milliseconds. */
type Period = string | number;

interface Window extends Keyed {
  readonly period: Period;
  readonly max: number;
}

/** The flow control of a definition (spec/triggers 5.1). */
export interface FlowSettings {
  readonly batch?: (Keyed & { readonly size: number; readonly timeout: Period }) | undefined;
  readonly debounce?: (Keyed & { readonly period: Period }) | undefined;
  readonly rate_limit?: Window | undefined;
  readonly throttle?: Window | undefined;
  readonly singleton?: Keyed | undefined;
  readonly concurrency?: (Keyed & { readonly max: number; readonly fair_by?: string | undefined }) | undefined;
  readonly priority?: string | { readonly key: string; readonly order: readonly string[] } | undefined;
}

/** What the settings are applied to. */
export interface FlowSubject<E> {
  /** `<trigger id>@v<version>`. */
  readonly binding_key: string;
  /** The value of a key expression for the event. */
  readonly evaluate: (expression: string) => Result<Json, E>;
}

/** The value of a key expression as part of a gate: a text as it is, anything else as JSON (spec/triggers 10). */
export const keyText = (value: Json): string => (typeof value === "string" ? value : canonicalJson(value));

const milliseconds = (period: Period): number => {
  if (typeof period === "number") return period;
  const parsed = parseDuration(period);
  if (!parsed.ok) throw new Error(`a stored definition has an ${parsed.error}`);
  return parsed.value;
};

/** The key expressions of the settings, each once, in the order of the gates; they are compiled when a definition is made. */
export const flowExpressions = (settings: FlowSettings): readonly string[] => {
  const { concurrency, priority } = settings;
  const keys = FLOW_ORDER.map((primitive) => settings[primitive]?.key);
  const all = [...keys, typeof priority === "object" ? priority.key : undefined, concurrency?.fair_by];
  return [...new Set(all.filter((expression) => expression !== undefined))];
};

type Read = (expression: string) => string;

const rankIn = ({ priority }: FlowSettings, read: Read): number => {
  if (priority === undefined || typeof priority === "string") return 0;
  const rank = priority.order.indexOf(read(priority.key));
  return rank === -1 ? priority.order.length : rank;
};

const requirement = (primitive: FlowPrimitive, settings: FlowSettings, reading: Reading): FlowRequirement | null => {
  const { gateOf, read } = reading;
  switch (primitive) {
    case "batch": {
      const { batch } = settings;
      if (batch === undefined) return null;
      return { primitive, gate: gateOf(batch), size: batch.size, timeout_ms: milliseconds(batch.timeout) };
    }
    case "debounce": {
      const { debounce } = settings;
      if (debounce === undefined) return null;
      return { primitive, gate: gateOf(debounce), period_ms: milliseconds(debounce.period) };
    }
    case "rate_limit":
    case "throttle": {
      const window = settings[primitive];
      if (window === undefined) return null;
      return { primitive, gate: gateOf(window), max: window.max, period_ms: milliseconds(window.period) };
    }
    case "singleton":
      return settings.singleton === undefined ? null : { primitive, gate: gateOf(settings.singleton) };
    case "concurrency": {
      const { concurrency } = settings;
      if (concurrency === undefined) return null;
      const { max, fair_by } = concurrency;
      const fair_key = fair_by === undefined ? "" : read(fair_by);
      return { primitive, gate: gateOf(concurrency), max, rank: rankIn(settings, read), fair_key };
    }
  }
};

interface Reading {
  readonly read: Read;
  readonly gateOf: (keyed: Keyed) => string;
}

/**
 * The gates that one event has to pass, in their order, or the error of the first key expression that fails. A gate is
 * `<binding key>:<key>` with `_global` for no key; with `across_versions` it starts with the trigger's id alone (spec/triggers 10).
 */
export const requirementsOf = <E>(
  settings: FlowSettings,
  subject: FlowSubject<E>,
): Result<readonly FlowRequirement[], E> => {
  const values = new Map<string, string>();
  for (const expression of flowExpressions(settings)) {
    const value = subject.evaluate(expression);
    if (!value.ok) return err(value.error);
    values.set(expression, keyText(value.value));
  }
  const read: Read = (expression) => values.get(expression) ?? "";
  const gateOf = ({ key, across_versions }: Keyed): string => {
    const { binding_key } = subject;
    const owner = across_versions === true ? binding_key.replace(/@v\d+$/, "") : binding_key;
    return `${owner}:${key === undefined ? "_global" : read(key)}`;
  };
  const found = FLOW_ORDER.map((primitive) => requirement(primitive, settings, { read, gateOf }));
  return ok(found.filter((one) => one !== null));
};
