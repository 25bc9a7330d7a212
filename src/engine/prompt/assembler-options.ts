import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";

const DEDUPS = ["none", "chunked", "semantic"] as const;
const STRATEGIES = ["recency", "relevance", "round_robin"] as const;

/** How chunks with the same content are told. */
export type Dedup = (typeof DEDUPS)[number];

/** In which order chunks are packed. */
export type PackStrategy = (typeof STRATEGIES)[number];

/** The options of a node's `context_assembler` with their defaults (spec/workflow 17.3). */
export interface AssemblerOptions {
  readonly budget_tokens: number;
  readonly dedup: Dedup;
  readonly strategy: PackStrategy;
  /** What relevance is measured against; null for the stage's own task. */
  readonly query: string | null;
  /** Artifacts with more tokens are split into chunks of about so many. */
  readonly microcompact_threshold: number;
  /** From which similarity on two chunks count as the same, 0 to 1. */
  readonly semantic_overlap: number;
}

const refuse = (text: string): Result<never, string> => err(`assemble_context: ${text}`);

const typeName = (value: Json): string => {
  if (value === null) return "nil";
  if (Array.isArray(value)) return "list";
  return typeof value === "object" ? "dict" : typeof value;
};

const count = (options: JsonObject, key: string, fallback: number): Result<number, string> => {
  const value = options[key] ?? fallback;
  return typeof value === "number" && Number.isInteger(value) && value >= 0 ? ok(value) : refuse(`${key} must be >= 0`);
};

const choice = <Name extends string>(
  options: JsonObject,
  key: string,
  { names, fallback }: { readonly names: readonly Name[]; readonly fallback: Name },
): Result<Name, string> => {
  const value = options[key] ?? fallback;
  const found = names.find((name) => name === value);
  if (found !== undefined) return ok(found);
  const given = typeof value === "string" ? value : JSON.stringify(value);
  const quoted = names.map((name) => `'${name}'`);
  return refuse(`unknown ${key} '${given}' (expected ${quoted.slice(0, -1).join(", ")}, or ${quoted.at(-1) ?? ""})`);
};

/** Decodes a `context_assembler`; `true` takes every default. The texts of errors begin with `assemble_context: `. */
export const decodeAssembler = (value: Json): Result<AssemblerOptions, string> => {
  const options = value === true ? {} : value;
  if (!isObject(options)) return refuse(`options must be a dict, got ${typeName(value)}`);
  const budget = count(options, "budget_tokens", 8_000);
  if (!budget.ok) return budget;
  const threshold = count(options, "microcompact_threshold", 2_000);
  if (!threshold.ok) return threshold;
  if (threshold.value === 0) return refuse("microcompact_threshold must be > 0");
  const dedup = choice(options, "dedup", { names: DEDUPS, fallback: "chunked" });
  if (!dedup.ok) return dedup;
  const strategy = choice(options, "strategy", { names: STRATEGIES, fallback: "relevance" });
  if (!strategy.ok) return strategy;
  const overlap = options["semantic_overlap"] ?? 0.85;
  if (typeof overlap !== "number" || !(overlap >= 0 && overlap <= 1))
    return refuse("semantic_overlap must be between 0 and 1");
  const query = options["query"] ?? null;
  if (query !== null && typeof query !== "string") return refuse("query must be a string");
  if (options["ranker_callback"] != null)
    return refuse("ranker_callback is not supported; leave it out to rank by the words of the query");
  return ok({
    budget_tokens: budget.value,
    dedup: dedup.value,
    strategy: strategy.value,
    query,
    microcompact_threshold: threshold.value,
    semantic_overlap: overlap,
  });
};
