import type { Judgement, Question } from "../../durable-objects/shell/predicate-desk.ts";
import type { HandlerOutcome, OutsideCall } from "../../src/engine/trigger/handler.ts";
import { failed, succeeded } from "../../src/executor/handlers/outcome.ts";
import { isObject, type Json, type JsonObject } from "../../src/lib/json.ts";

/** The next entry of a list; the last one repeats. */
const nth = (list: readonly JsonObject[], index: number): JsonObject => list[Math.min(index, list.length - 1)] ?? {};

const textOf = (value: Json): string => (typeof value === "string" ? value : JSON.stringify(value));

const at = (event: Json, path: string): Json =>
  path.split(".").reduce<Json>((value, name) => (isObject(value) ? (value[name] ?? null) : null), event);

/** What a handler returns; `{$event: path}` stands for a part of the event. */
const filled = (value: Json, event: Json): Json => {
  if (Array.isArray(value)) return value.map((one: Json) => filled(one, event));
  if (!isObject(value)) return value;
  const { $event: path } = value;
  if (typeof path === "string") return at(event, path);
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, filled(one, event)]));
};

const CANCELLED = "kind:cancelled:";

/** What the handler and the predicate of a trigger yield, as its vector has written it down. */
export class DispatchScript {
  readonly #handled: readonly JsonObject[];
  readonly #judged: readonly JsonObject[];
  #handlings = 0;
  #judgings = 0;

  constructor(trigger: JsonObject) {
    const resultsOf = (name: string): readonly JsonObject[] => {
      const part = trigger[name];
      const results = isObject(part) ? part["results"] : null;
      return Array.isArray(results) ? (results as readonly Json[]).filter(isObject) : [];
    };
    this.#handled = resultsOf("handler");
    this.#judged = resultsOf("when");
  }

  /** Whether it says what the handler yields. */
  get isHandled(): boolean {
    return this.#handled.length > 0;
  }

  /** The next call of the handler. */
  handling(call: OutsideCall): { readonly takes_ms: number; readonly outcome: HandlerOutcome } {
    const entry = nth(this.#handled, this.#handlings);
    this.#handlings += 1;
    const takes = entry["until_cancelled"] === true ? Infinity : Number(entry["takes_ms"] ?? 0);
    return { takes_ms: takes, outcome: outcomeOf(entry, call) };
  }

  /** The next question to the predicate. */
  judging(question: Question): {
    readonly takes_ms: number;
    readonly judgement: Judgement;
    readonly llm_calls: number;
  } {
    const entry = nth(this.#judged, this.#judgings);
    this.#judgings += 1;
    const takes = Number(entry["takes_ms"] ?? 0);
    const isLate = takes > question.timeout_ms;
    const llm_calls = Number(entry["llm_calls"] ?? 0);
    const cost = {
      cost_usd: Number(entry["cost_usd"] ?? 0),
      tokens: Number(entry["tokens"] ?? 0),
      llm_calls,
      latency_ms: Math.min(takes, question.timeout_ms),
    };
    const { throws } = entry;
    const answer =
      throws === undefined
        ? ({ type: "answered", value: entry["value"] ?? null } as const)
        : ({ type: "failed", error: textOf(throws) } as const);
    const outcome = isLate ? { ...cost, type: "timeout" as const } : { ...cost, ...answer };
    return { takes_ms: cost.latency_ms, judgement: { id: question.id, outcome }, llm_calls };
  }
}

const outcomeOf = (entry: JsonObject, call: OutsideCall): HandlerOutcome => {
  const { throws, denied, timeout } = entry;
  if (denied !== undefined) return failed("denied", textOf(denied));
  if (timeout !== undefined) return failed("timeout", timeout === true ? "handler timed out" : textOf(timeout));
  if (throws === undefined) return succeeded(filled(entry["returns"] ?? null, call.event as unknown as Json));
  const text = textOf(throws);
  if (text.startsWith(CANCELLED)) return failed("cancelled", text);
  return failed(call.kind === "a2a" ? "a2a" : "local", text);
};
