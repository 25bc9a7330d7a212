import { compileExpression, evaluate, type Expression } from "../../../lib/expression.ts";
import type { JsonObject } from "../../../lib/json.ts";
import { err, ok, type Result } from "../../../lib/result.ts";

const VARIABLES = ["event", "binding", "attempt", "outcome", "audit"] as const;

/** What a bulk filter looks at (spec/triggers 22.6). */
export type BulkRecord = { readonly [name in (typeof VARIABLES)[number]]: JsonObject };

const OPERATORS: Readonly<Record<string, string>> = { and: "&&", or: "||", not: "!" };

/** Texts in quotes, names with what leads to them, and single characters. */
const TOKENS = /'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|(?:\.\s*)?[A-Za-z_]\w*|[^]/g;

/** The filter as an expression: `AND`, `OR` and `NOT` in any case are `&&`, `||` and `!`, but not in texts and fields. */
const translated = (text: string): string =>
  text.replaceAll(TOKENS, (token) => {
    const operator = /^[a-z]+$/i.test(token) ? OPERATORS[token.toLowerCase()] : undefined;
    return operator ?? token;
  });

/** Reads the filter of a bulk replay or cancel (spec/triggers 22.6); the error is for its writer. */
export const compileBulkFilter = (text: string): Result<Expression, string> => {
  if (text.trim() === "") return err("filter expression cannot be empty");
  const compiled = compileExpression(translated(text), VARIABLES);
  if (!compiled.ok) return err(`filter expression is not valid: ${compiled.error.message}`);
  const { type } = compiled.value;
  if (type === "bool" || type === "dyn") return ok(compiled.value);
  return err(`filter expression must be true or false, but is of type ${type}`);
};

/** Whether a filter takes a record; one that has no value for it, such as for a missing field, does not. */
export const matchesBulkFilter = (filter: Expression, record: BulkRecord): boolean => {
  const value = evaluate(filter, record);
  return value.ok && value.value === true;
};
