import { type ASTNode, Environment, type ParseError } from "@marcbachmann/cel-js";
import { FUNCTIONS } from "./expression-functions.ts";
import { boundedPattern } from "./expression-pattern.ts";
import { type Frame, lowered, MACROS, type Step } from "./expression-step.ts";
import { Failed } from "./expression-value.ts";
import type { Json } from "./json.ts";
import { err, ok, type Result } from "./result.ts";

/** Longest text of an expression, in UTF-16 units. */
export const MAX_EXPRESSION_LENGTH = 2000;

/** Most nodes and deepest nesting of an expression. */
const LIMITS = { maxAstNodes: 500, maxDepth: 32 } as const;

/** Steps of one evaluation: what a filter over a payload of a megabyte needs, and a fraction of a second at worst. */
const MAX_STEPS = 1_000_000;

/** Expressions that are kept compiled. */
const MAX_CACHED = 200;

/** A compiled expression of the Common Expression Language over JSON. */
export interface Expression {
  readonly text: string;
  /** The type as far as the text alone tells it; `dyn` where only the values do. */
  readonly type: string;
  readonly step: Step;
}

/** Why a text is no expression, and the character it was found at, counted from 0. */
export interface ExpressionError {
  readonly message: string;
  readonly position?: number;
}

type Compiled = Result<Expression, ExpressionError>;

/** Operators between kinds of numbers: JSON knows one kind only. */
const MIXED = ["+", "-", "*", "/"].flatMap((op) => [`int ${op} double`, `double ${op} int`]);

const environment = (variables: readonly string[]): Environment => {
  const base = new Environment({
    unlistedVariablesAreDyn: false,
    homogeneousAggregateLiterals: false,
    limits: LIMITS,
  });
  for (const operator of [...MIXED, "int == double"]) base.registerOperator(operator, () => false);
  return variables.reduce((made, name) => made.registerVariable(name, "dyn"), base);
};

const summary = (error: Pick<ParseError, "summary" | "range"> | undefined): ExpressionError => {
  const message = error?.summary ?? "it cannot be read";
  return error?.range === undefined ? { message } : { message, position: error.range.start };
};

const inner = (node: ASTNode): readonly ASTNode[] =>
  node.op === "value" || node.op === "id"
    ? []
    : ([node.args].flat(3) as readonly unknown[]).filter((one): one is ASTNode => one instanceof Object && "op" in one);

/** What the library reads and this language does not have. */
const ownProblem = (node: ASTNode, names: ReadonlySet<string>): string | null => {
  if (node.op === "id" && !names.has(node.args)) return `unknown variable '${node.args}'`;
  if (node.op === "value") {
    const { args: value } = node;
    if (typeof value === "bigint" && !Number.isSafeInteger(Number(value))) return "the number is too large";
    return typeof value === "object" && value !== null ? "bytes and unsigned numbers are not available" : null;
  }
  if (node.op === "call" || node.op === "rcall") return callProblem(node);
  return null;
};

const callProblem = (node: Extract<ASTNode, { readonly op: "call" | "rcall" }>): string | null => {
  const [name] = node.args;
  const args = node.op === "call" ? node.args[1] : node.args[2];
  if (node.op === "call" && name === "has") return null;
  if (node.op === "rcall" && MACROS.has(`${name}/${args.length}`)) return null;
  const count = args.length + (node.op === "rcall" ? 1 : 0);
  if (!FUNCTIONS.has(`${name}/${count}`)) return `function ${name}() is not available`;
  const [pattern] = args;
  if (name !== "matches" || pattern === undefined) return null;
  if (pattern.op !== "value" || typeof pattern.args !== "string")
    return "the pattern of matches() must be a plain text";
  const bounded = boundedPattern(pattern.args);
  return typeof bounded === "string" ? bounded : null;
};

const firstProblem = (node: ASTNode, names: ReadonlySet<string>): ExpressionError | null => {
  const message = ownProblem(node, names);
  if (message !== null) return { message, position: node.start };
  const isLoop = node.op === "rcall" && MACROS.has(`${node.args[0]}/${node.args[2].length}`);
  const item = isLoop ? node.args[2][0] : undefined;
  const known = item?.op === "id" ? new Set([...names, item.args]) : names;
  for (const one of inner(node)) {
    const problem = one === item ? null : firstProblem(one, known);
    if (problem !== null) return problem;
  }
  return null;
};

const compile = (text: string, variables: readonly string[]): Compiled => {
  // The library has no form that returns a refusal, so it is turned into a value here.
  try {
    const parsed = environment(variables).parse(text);
    const problem = firstProblem(parsed.ast, new Set(variables));
    if (problem !== null) return err(problem);
    const checked = parsed.check();
    if (!checked.valid) return err(summary(checked.error));
    return ok({ text, type: checked.type ?? "dyn", step: lowered(parsed.ast) });
  } catch (error) {
    return err(summary(error as ParseError));
  }
};

// Memoisation only: reading a text costs a hundred times what evaluating it does.
const cache = new Map<string, Compiled>();

/** Reads an expression over these variables; what is wrong with it is said here and not at its first evaluation. */
export const compileExpression = (text: string, variables: readonly string[]): Compiled => {
  if (text.trim() === "") return err({ message: "the expression is empty" });
  if (text.length > MAX_EXPRESSION_LENGTH) {
    return err({ message: `the expression has ${text.length} characters, more than ${MAX_EXPRESSION_LENGTH}` });
  }
  const key = `${variables.join(",")}\n${text}`;
  const known = cache.get(key);
  if (known !== undefined) return known;
  const compiled = compile(text, variables);
  const [oldest] = cache.keys();
  if (cache.size >= MAX_CACHED && oldest !== undefined) cache.delete(oldest);
  cache.set(key, compiled);
  return compiled;
};

/**
 * The value of an expression, or why it has none: a missing field, an operator between kinds that do not fit, too many
 * steps. It throws for no value and no time, and reads nothing but own fields of the values.
 */
export const evaluate = (expression: Expression, values: Readonly<Record<string, Json>>): Result<Json, string> => {
  const frame: Frame = { values, local: null, budget: { left: MAX_STEPS } };
  const value = expression.step(frame);
  return value instanceof Failed ? err(value.reason) : ok(value);
};
