/** What kind of error a dead letter died of (spec/triggers 12.5). */
export type ErrorClass =
  | "budget_exhausted"
  | "handler_timeout"
  | "auth_failed"
  | "provider_5xx"
  | "predicate_panic"
  | "handler_panic"
  | "unknown";

interface Rule {
  readonly class: ErrorClass;
  /** A word the text must have besides one of `any`. */
  readonly with?: string;
  readonly any: readonly string[];
}

const CRASHES = ["panic", "crash", "thrown", "exception", "vmerror::thrown"];

/** In this order: the first that holds decides. */
const RULES: readonly Rule[] = [
  { class: "budget_exhausted", with: "budget", any: ["exhaust", "exceeded", "limit", "short-circuit"] },
  { class: "handler_timeout", any: ["timeout", "timed out", "deadline", "wall-clock", "wall clock"] },
  {
    class: "auth_failed",
    any: ["401", "403", "unauthorized", "forbidden", "auth failed", "authentication", "permission denied"],
  },
  {
    class: "provider_5xx",
    with: "provider",
    any: ["5xx", "500", "502", "503", "504", "upstream", "service unavailable"],
  },
  { class: "predicate_panic", with: "predicate", any: CRASHES },
  { class: "handler_panic", with: "handler", any: CRASHES },
  { class: "handler_panic", any: ["vmerror::thrown", "handler threw"] },
];

/** The class of an error by its text, upper or lower case (spec/triggers 12.5). */
export const classifyError = (error: string): ErrorClass => {
  const text = error.toLowerCase();
  const holds = (rule: Rule): boolean =>
    (rule.with === undefined || text.includes(rule.with)) && rule.any.some((word) => text.includes(word));
  return RULES.find(holds)?.class ?? "unknown";
};
