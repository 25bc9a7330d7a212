import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import { err, ok } from "../lib/result.ts";
import type { FunctionContext } from "../ports/functions.ts";
import type { ReducerInput, ReducerRegistry } from "../ports/reducers.ts";
import type { StageFailure } from "../ports/stage-failure.ts";
import type { StagePlan, StageResult } from "../schema/plan.ts";
import { isErrorCategory } from "./failure.ts";
import type { Runner, RunnerContext, StageOutcome } from "./runner.ts";
import { asVerdict } from "./verifier.ts";

/** Runs a handler, or a reducer, that is registered in code. */
export const functionRunner: Runner = {
  run: (plan, context) =>
    plan.kind === "verify"
      ? asVerdict(
          () => callHandler(plan, context),
          () => context.signal.aborted,
        )
      : callHandler(plan, context),
  explain: (thrown, plan) => thrownFailure(thrown, `${wordFor(plan)} "${plan.function?.name ?? ""}"`),
};

const wordFor = ({ kind }: StagePlan): "reducer" | "function" => (kind === "reduce" ? "reducer" : "function");

/** What a function that runs for a stage is told about it; the signal is made when somebody asks for it. */
export const functionContext = (plan: StagePlan, context: Pick<RunnerContext, "signal">): FunctionContext => ({
  run_id: plan.run_id,
  stage_id: plan.stage_id,
  node_id: plan.node_id,
  attempt: plan.attempt,
  idempotency_key: plan.idempotency_key,
  get signal() {
    return context.signal;
  },
  ...(plan.task === undefined ? {} : { task: plan.task }),
});

/** What a plan names, ready to be called with its input. */
type Callee = (input: Json, context: FunctionContext) => unknown;

/** A reducer gets its inputs as they are; they come from the run. */
const reducerNamed = (name: string, reducers: ReducerRegistry): Callee | undefined => {
  const reducer = reducers.find(name);
  if (reducer === undefined) return undefined;
  return (input, context) => reducer((isObject(input) ? input["inputs"] : []) as unknown as ReducerInput[], context);
};

const NO_REDUCERS: ReducerRegistry = { names: [], find: () => undefined };

const callHandler = (plan: StagePlan, context: RunnerContext): StageOutcome | Promise<StageOutcome> => {
  const call = plan.function;
  if (call === undefined) return err({ category: "schema_validation", message: "the plan has no function call" });
  const word = wordFor(plan);
  const reducers = context.reducers ?? NO_REDUCERS;
  const handler = word === "reducer" ? reducerNamed(call.name, reducers) : context.functions.find(call.name);
  if (handler === undefined) {
    const known = (word === "reducer" ? reducers : context.functions).names.join(", ") || "none";
    return err({ category: "not_found", message: `no ${word} "${call.name}" is registered; registered: ${known}` });
  }
  const returned = handler(call.input, functionContext(plan, context));
  return returned instanceof Promise
    ? returned.then((value) => outcomeOf(`${word} "${call.name}"`, value))
    : outcomeOf(`${word} "${call.name}"`, returned);
};

const outcomeOf = (what: string, returned: unknown): StageOutcome => {
  const flaw = flawOf(returned, "result", 0);
  if (flaw === undefined) return ok(resultOf(returned as Json));
  return err({ category: "schema_validation", message: `${what} returned what JSON cannot carry: ${flaw}` });
};

/** Deeper values are refused; it also ends the walk through a value that contains itself. */
const MAX_DEPTH = 100;

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
};

/** Where and why a value is not JSON; undefined when it is. */
export const flawOf = (value: unknown, path: string, depth: number): string | undefined => {
  if (value === null || typeof value === "string" || typeof value === "boolean") return undefined;
  if (typeof value === "number") return Number.isFinite(value) ? undefined : `${path} is ${value}`;
  if (typeof value !== "object") return `${path} is ${typeof value}`;
  if (depth >= MAX_DEPTH) return `it is nested deeper than ${MAX_DEPTH} levels, or contains itself`;
  if (!Array.isArray(value) && !isPlain(value)) return `${path} is a ${value.constructor.name}`;
  for (const [key, item] of Object.entries(value)) {
    const flaw = flawOf(item, `${path}.${key}`, depth + 1);
    if (flaw !== undefined) return flaw;
  }
  return undefined;
};

const RESULT_FIELDS = ["status", "text", "visible_text", "data"];

/** The stage result a returned value stands for; whatever it is, the result has a status and a text. */
const resultOf = (returned: Json): StageResult => {
  if (typeof returned === "string") return { status: "completed", text: returned, visible_text: returned };
  if (isObject(returned) && RESULT_FIELDS.some((field) => Object.hasOwn(returned, field))) return completed(returned);
  return completed({ ...(isObject(returned) ? returned : {}), data: returned });
};

const completed = (fields: JsonObject): StageResult => {
  const { text, visible_text: visible, data } = fields;
  const spoken = [text, visible].find((candidate) => typeof candidate === "string");
  const shown = spoken ?? (data === undefined ? "" : JSON.stringify(data));
  return { status: "completed", ...fields, text: shown, visible_text: typeof visible === "string" ? visible : shown };
};

/** What a handler threw, with its own category where it is one of spec/workflow 0.3; never its stack. */
export const thrownFailure = (thrown: unknown, what: string): StageFailure => {
  const { category, retry_after_ms: wait } = (thrown ?? {}) as { category?: unknown; retry_after_ms?: unknown };
  const reason = thrown instanceof Error ? thrown.message || thrown.name : typeof thrown === "string" ? thrown : "";
  return {
    category: isErrorCategory(category) ? category : "generic",
    message: `${what} failed: ${reason || "it threw a value without a message"}`,
    ...(typeof wait === "number" && Number.isFinite(wait) && wait >= 0 ? { retry_after_ms: wait } : {}),
  };
};
