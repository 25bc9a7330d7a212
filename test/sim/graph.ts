import type { Json, JsonObject } from "../../src/lib/json.ts";
import type { Random } from "../support/random.ts";

const KINDS = ["stage", "stage", "stage", "stage", "verify", "condition", "fork", "join", "reduce", "escalation"];

const BRANCHES = [null, null, null, null, null, "success", "failed", "error"];

const stage = (random: Random): JsonObject => ({
  kind: "stage",
  mode: random.pick(["function", "function", "function", "llm", "llm", "http", "external"]),
  function: "work",
  http: { url: "https://api.example/work" },
  ...(random.chance(0.5)
    ? { retry_policy: { max_attempts: random.int(1, 3), backoff_ms: random.pick([0, 300, 5_000]) } }
    : {}),
});

const node = (random: Random, kind: string): JsonObject => {
  if (kind === "stage") return stage(random);
  if (kind === "verify") return { kind, verify: random.chance(0.5) ? { command: "make test" } : { assert_text: "ok" } };
  if (kind === "condition") return { kind, metadata: { contains_text: random.pick(["ok", "never"]) } };
  if (kind === "join") return { kind, join_policy: { strategy: random.pick(["all", "any"]) } };
  return { kind };
};

/** A graph with forks, joins, conditions and loops; it may turn out not to be valid. */
export const randomGraph = (random: Random): Json => {
  const ids = Array.from({ length: random.int(2, 9) }, (_, index) => `n${index}`);
  const nodes: Record<string, JsonObject> = {};
  const edges: JsonObject[] = [];
  for (const [index, id] of ids.entries()) {
    const kind = index === 0 ? random.pick(["stage", "stage", "fork"]) : random.pick(KINDS);
    nodes[id] = node(random, kind);
    // Mostly forward; sometimes back, which makes a loop.
    const target = (): string =>
      random.chance(0.85) ? (ids[Math.min(index + random.int(1, 2), ids.length - 1)] as string) : random.pick(ids);
    const branches =
      kind === "condition"
        ? ["true", "false"]
        : kind === "fork"
          ? [null, null]
          : kind === "verify"
            ? ["passed", random.pick(["failed", null])]
            : Array.from({ length: index === ids.length - 1 ? random.int(0, 1) : random.int(1, 2) }, () =>
                random.pick(BRANCHES),
              );
    for (const branch of branches) edges.push({ from: id, to: target(), branch });
  }
  return { id: "wf", entry: "n0", nodes, edges };
};

/** A result of a stage: mostly good, else a verdict or a failed call, of which some may pass. */
export const randomResult = (random: Random): JsonObject => {
  const roll = random.next();
  if (roll < 0.8) return { status: "completed", text: `ok ${random.int(1, 1_000_000)}`, visible_text: "ok" };
  if (roll < 0.87)
    return { status: "failed", text: `no ${random.int(1, 1_000_000)}`, visible_text: "no", exit_status: 1 };
  const category = random.pick(["timeout", "rate_limit", "overloaded", "auth", "generic"]);
  return {
    __workflow_stage_error: true,
    status: "failed",
    text: "",
    visible_text: "",
    error: `Error [${category}]: ${random.int(1, 1_000_000)}`,
    error_category: category,
    retryable: category !== "auth" && category !== "generic",
    ...(category === "rate_limit" ? { retry_after_ms: random.pick([500, 4_000, 20_000]) } : {}),
  };
};
