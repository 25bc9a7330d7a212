import * as z from "zod";
import { parseDuration } from "../lib/duration.ts";
import { expressionProblem } from "./trigger-rules.ts";

/** Largest `max` of a window: its accepted times are one row. */
export const MAX_WINDOW = 10_000;

/** Largest `max` of `concurrency`. */
export const MAX_CONCURRENCY = 10_000;

/** Largest `size` of `batch`: its members are handed to one handler. */
export const MAX_BATCH = 1_000;

/** Longest period or timeout: 52 weeks. */
export const MAX_PERIOD_MS = 31_449_600_000;

const MAX_ORDER = 100;

/** An expression over `event` (spec/triggers 5.1). */
const key = z.string().min(1).max(1_000);
const period = z.string().max(100);
/** Whether what was counted under earlier versions of the trigger goes on counting; otherwise each version starts anew. */
const across_versions = z.boolean().optional();
const keyed = { key: key.optional(), across_versions };
const windowSchema = z
  .strictObject({ ...keyed, period, max: z.number().int().max(MAX_WINDOW) })
  .readonly()
  .optional();

/** The keys of a definition that are its flow control (spec/triggers 5.1 and 10). */
export const flowShape = {
  /** At most `max` dispatches at work; `fair_by` shares the slots between the values of an expression. */
  concurrency: z
    .strictObject({ ...keyed, max: z.number().int().max(MAX_CONCURRENCY), fair_by: key.optional() })
    .readonly()
    .optional(),
  throttle: windowSchema,
  rate_limit: windowSchema,
  debounce: z.strictObject({ key, period, across_versions }).readonly().optional(),
  singleton: z.strictObject(keyed).readonly().optional(),
  batch: z
    .strictObject({ ...keyed, size: z.number().int().max(MAX_BATCH), timeout: period })
    .readonly()
    .optional(),
  /** A text is the priority of jobs in a queue, a table the order in which dispatches wait for `concurrency`. */
  priority: z
    .union(
      [
        z.enum(["high", "normal", "low"]),
        z.strictObject({ key, order: z.array(z.string().max(1_000)).max(MAX_ORDER).readonly() }).readonly(),
      ],
      { error: "must be 'high', 'normal' or 'low', or have `key` and `order`" },
    )
    .optional(),
};

const flowSchema = z.object(flowShape).readonly();

/** The flow control of a definition as its owner writes it. */
export type FlowDefinition = z.output<typeof flowSchema>;

type Complain = (path: readonly string[], message: string) => void;

const checkKey = (complain: Complain, path: readonly string[], given: string | undefined): void => {
  const problem = given === undefined ? null : expressionProblem(path.join("."), given);
  if (problem !== null) complain(path, problem);
};

const checkKeys = (flow: FlowDefinition, complain: Complain): void => {
  const { concurrency, priority } = flow;
  for (const primitive of ["concurrency", "throttle", "rate_limit", "debounce", "singleton", "batch"] as const)
    checkKey(complain, [primitive, "key"], flow[primitive]?.key);
  checkKey(complain, ["concurrency", "fair_by"], concurrency?.fair_by);
  if (typeof priority === "object") checkKey(complain, ["priority", "key"], priority.key);
};

const checkCount = (complain: Complain, path: readonly [string, string], count: number | undefined): void => {
  if (count !== undefined && count < 1) complain(path, `${path.join(".")} must be greater than or equal to 1`);
};

const checkPeriod = (complain: Complain, path: readonly [string, string], text: string | undefined): void => {
  if (text === undefined) return;
  const parsed = parseDuration(text);
  if (!parsed.ok) complain(path, `${path.join(".")} ${parsed.error}`);
  else if (parsed.value > MAX_PERIOD_MS) complain(path, `${path.join(".")} must be at most 52w`);
};

const checkPriority = ({ priority, concurrency }: FlowDefinition, complain: Complain): void => {
  if (typeof priority !== "object") return;
  if (priority.order.length === 0) complain(["priority", "order"], "priority.order must contain at least one value");
  if (concurrency === undefined) {
    complain(["priority"], "priority requires concurrency.max so queued dispatches have a slot to compete for");
  }
};

const checkBatch = (flow: FlowDefinition, complain: Complain): void => {
  const { batch, debounce, singleton, concurrency, priority, throttle, rate_limit } = flow;
  const others = [debounce, singleton, concurrency, throttle, rate_limit];
  if (batch === undefined) return;
  if (others.every((other) => other === undefined) && typeof priority !== "object") return;
  const list = "debounce, singleton, concurrency, priority, throttle, or rate_limit";
  complain(["batch"], `batch cannot currently be combined with ${list}`);
};

/** Everything that is wrong with the flow control of a definition, in the order of spec/triggers 5.7, points 12 to 14. */
export const checkFlow = (flow: FlowDefinition, complain: Complain): void => {
  const { concurrency, throttle, rate_limit, debounce, batch } = flow;
  checkCount(complain, ["concurrency", "max"], concurrency?.max);
  checkCount(complain, ["throttle", "max"], throttle?.max);
  checkCount(complain, ["rate_limit", "max"], rate_limit?.max);
  checkCount(complain, ["batch", "size"], batch?.size);
  checkPeriod(complain, ["throttle", "period"], throttle?.period);
  checkPeriod(complain, ["rate_limit", "period"], rate_limit?.period);
  checkPeriod(complain, ["debounce", "period"], debounce?.period);
  checkPeriod(complain, ["batch", "timeout"], batch?.timeout);
  checkKeys(flow, complain);
  checkPriority(flow, complain);
  checkBatch(flow, complain);
};
