import * as z from "zod";
import { definitionObject } from "./definition-object.ts";
import { compileExpression } from "../lib/expression.ts";
import { parseTimeout } from "../lib/timeout.ts";

const MAX_PROMPT_LENGTH = 20_000;

/** The variables of every expression of a trigger. */
const VARIABLES = ["event"] as const;

const AUTONOMY_TIERS = ["shadow", "suggest", "act_with_approval", "act_auto"] as const;
const STRATEGIES = ["false", "retry_later", "fail", "warn"] as const;

/** How much a trigger may do by itself (spec/triggers 5.1). */
export type AutonomyTier = (typeof AUTONOMY_TIERS)[number];

/** What happens to an event whose predicate has no budget left (spec/triggers 5.4). */
export type BudgetStrategy = (typeof STRATEGIES)[number];

const rulesObject = <Shape extends z.ZodRawShape>(shape: Shape) => definitionObject(shape).readonly();

const text = z
  .string()
  .min(1)
  .refine((value) => value.isWellFormed(), "must not contain lone surrogates");
const whole = z.number().int();
const wait = whole.min(0).max(604_800_000);
const tier = z.enum(AUTONOMY_TIERS);

const modelQuestion = rulesObject({
  /** Without it the provider of the deployment. */
  provider: text.max(200).optional(),
  model: text.max(200).optional(),
  /** What is asked about the event; the model is told to answer with true or false. */
  prompt: text.max(MAX_PROMPT_LENGTH),
  system: text.max(MAX_PROMPT_LENGTH).optional(),
  temperature: z.number().min(0).max(2).optional(),
  max_tokens: whole.min(1).optional(),
});

/** Says what a predicate may be, and in what this one falls short of a question. */
const notWhen = (issue: z.core.$ZodRawIssue): string => {
  const inner = issue.code === "invalid_union" ? issue.errors.flat().find(({ path }) => path.length > 0) : undefined;
  const where = inner === undefined ? "" : `; in \`when.${inner.path.join(".")}\`: ${inner.message}`;
  return `must be an expression, or a question as \`{"model": {"prompt": ...}}\`${where}`;
};

const unsupported = (given: unknown): string =>
  `unsupported retry.backoff '${typeof given === "string" ? given : JSON.stringify(given)}', expected 'svix' or 'immediate'`;

const backoff = z.union(
  [
    z.enum(["svix", "immediate"]),
    rulesObject({ kind: z.literal("svix") }),
    rulesObject({ kind: z.literal("linear"), delay_ms: wait }),
    rulesObject({ kind: z.literal("exponential"), base_ms: wait, cap_ms: wait }),
  ],
  { error: (issue) => unsupported(issue.input) },
);

const retry = rulesObject({
  /** Total attempts; 0 is the default of 7. */
  max: whole.min(0).optional(),
  backoff: backoff.optional(),
  retention_days: whole.optional(),
  /** Up to this part of each wait is added to it. */
  jitter: z.number().min(0).max(1).optional(),
});

const budget = rulesObject({
  max_cost_usd: z.number().optional(),
  max_tokens: whole.optional(),
  /** Another name of `max_tokens`. */
  tokens_max: whole.optional(),
  daily_cost_usd: z.number().optional(),
  hourly_cost_usd: z.number().optional(),
  max_autonomous_decisions_per_hour: whole.optional(),
  max_autonomous_decisions_per_day: whole.optional(),
  /** The old name of `concurrency.max`. */
  max_concurrent: whole.optional(),
  on_budget_exhausted: z.enum(STRATEGIES).optional(),
});

const whenBudget = rulesObject({
  max_cost_usd: z.number().optional(),
  tokens_max: whole.optional(),
  /** `<int>[ms|s|m|h]`; a number is milliseconds. */
  timeout: z.union([z.string(), whole.min(0)]).optional(),
});

/** The keys of a definition that this file is about, for the schema of definitions (spec/triggers 5.1). */
export const ruleShape = {
  filter: z.string().optional(),
  dedupe_key: z.string().optional(),
  when: z.union([z.string(), rulesObject({ model: modelQuestion })], { error: notWhen }).optional(),
  when_budget: whenBudget.optional(),
  autonomy_tier: tier.optional(),
  tier: tier.optional(),
  budget: budget.optional(),
  retry: retry.optional(),
} as const;

const rulesSchema = z.object(ruleShape).readonly();

/** The rules of a trigger as its owner writes them. */
export type TriggerRules = z.output<typeof rulesSchema>;

/** `retry` of a definition (spec/triggers 5.2). */
export type RetryRule = NonNullable<TriggerRules["retry"]>;

/** A question to a model that decides whether an event is handled. */
export type ModelPredicate = z.output<typeof modelQuestion>;

/** Takes what is wrong with a definition. */
type Complain = (path: string | readonly string[], message: string) => void;

/** What is wrong with the expression of a field, or null; the text names the field. */
export const expressionProblem = (field: string, given: string, wanted: "bool" | "any" = "any"): string | null => {
  const compiled = compileExpression(given, VARIABLES);
  if (!compiled.ok) {
    const { message, position } = compiled.error;
    return `${field} is not a valid expression: ${message}${position === undefined ? "" : ` at character ${position + 1}`}`;
  }
  const { type } = compiled.value;
  return wanted === "any" || type === "bool" || type === "dyn"
    ? null
    : `${field} must be true or false, but the expression is of type ${type}`;
};

const checkExpression = (
  { field, wanted }: { readonly field: string; readonly wanted: "bool" | "any" },
  given: unknown,
  complain: Complain,
): void => {
  const problem = typeof given === "string" ? expressionProblem(field, given, wanted) : null;
  if (problem !== null) complain(field, problem);
};

const atLeast = (limit: number, fields: Readonly<Record<string, number | undefined>>, complain: Complain): void => {
  for (const [path, value] of Object.entries(fields)) {
    if (value !== undefined && value < limit) {
      complain(path.split("."), `${path} must be greater than or equal to ${limit}`);
    }
  }
};

const checkBudget = ({ budget: given }: TriggerRules, complain: Complain): void => {
  atLeast(
    0,
    {
      "budget.daily_cost_usd": given?.daily_cost_usd,
      "budget.hourly_cost_usd": given?.hourly_cost_usd,
      "budget.max_cost_usd": given?.max_cost_usd,
    },
    complain,
  );
  atLeast(
    1,
    {
      "budget.max_autonomous_decisions_per_hour": given?.max_autonomous_decisions_per_hour,
      "budget.max_autonomous_decisions_per_day": given?.max_autonomous_decisions_per_day,
      "budget.max_tokens": given?.max_tokens ?? given?.tokens_max,
      "budget.max_concurrent": given?.max_concurrent,
    },
    complain,
  );
};

const checkWhenBudget = ({ when_budget: given }: TriggerRules, complain: Complain): void => {
  atLeast(0, { "when_budget.max_cost_usd": given?.max_cost_usd }, complain);
  atLeast(1, { "when_budget.tokens_max": given?.tokens_max }, complain);
  const { timeout } = given ?? {};
  const parsed = typeof timeout === "string" ? parseTimeout(timeout) : null;
  if (parsed !== null && !parsed.ok) complain(["when_budget", "timeout"], `when_budget.timeout ${parsed.error}`);
};

const checkAliases = (rules: TriggerRules, complain: Complain): void => {
  if (rules.autonomy_tier !== undefined && rules.tier !== undefined) {
    complain("tier", "give `autonomy_tier` or `tier`, not both");
  }
  if (rules.budget?.max_tokens !== undefined && rules.budget.tokens_max !== undefined) {
    complain(["budget", "tokens_max"], "give `budget.max_tokens` or `budget.tokens_max`, not both");
  }
};

/** Points 6 and 8 to 11 of the validation, in their order and with their texts (spec/triggers 5.7). */
export const checkRules = (rules: TriggerRules, complain: Complain): void => {
  checkAliases(rules, complain);
  checkExpression({ field: "dedupe_key", wanted: "any" }, rules.dedupe_key, complain);
  checkExpression({ field: "filter", wanted: "bool" }, rules.filter, complain);
  checkExpression({ field: "when", wanted: "bool" }, rules.when, complain);
  if (rules.when_budget !== undefined && rules.when === undefined) {
    complain("when_budget", "when_budget requires a when predicate");
  }
  checkBudget(rules, complain);
  checkWhenBudget(rules, complain);
  const { retry: given } = rules;
  if (given?.max !== undefined && given.max > 100) {
    complain(["retry", "max"], "retry.max must be less than or equal to 100");
  }
  atLeast(1, { "retry.retention_days": given?.retention_days }, complain);
};
