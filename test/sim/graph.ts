import type { Json, JsonObject } from "../../src/lib/json.ts";
import type { Random } from "../support/random.ts";

/** What a random graph may contain. */
export interface GraphTraits {
  readonly kinds: readonly string[];
  readonly modes: readonly string[];
  /** Strategies of maps: with some of them the first branches to settle decide. */
  readonly strategies: readonly string[];
  /** Longest sleep, in milliseconds. */
  readonly longest_sleep: number;
  /** How likely a run has a deadline. */
  readonly deadlines: number;
}

const KINDS = ["stage", "verify", "condition", "fork", "fork", "join", "reduce", "escalation", "map"];

/** Graphs of which everything may go on at a time, and wait for anything. */
export const ANY_GRAPH: GraphTraits = {
  kinds: ["stage", "stage", "stage", "stage", "map", ...KINDS],
  modes: ["function", "function", "function", "llm", "llm", "http", "agent", "agent", "external", "sleep", "wait"],
  strategies: ["all", "first", "quorum", "quorum"],
  longest_sleep: 240_000,
  deadlines: 0.1,
};

/** Graphs whose record does not depend on how fast whoever works on them is. */
export const ORDERED_GRAPH: GraphTraits = {
  kinds: ["stage", "stage", "stage", ...KINDS],
  modes: ["function", "llm", "http", "agent"],
  strategies: ["all"],
  longest_sleep: 0,
  deadlines: 0,
};

/** Graphs whose way depends on the results of their stages alone, and not on what a node sees. */
export const BLIND_GRAPH: GraphTraits = {
  ...ORDERED_GRAPH,
  kinds: ["stage", "stage", "stage", "fork", "fork", "join", "map"],
};

/** Graphs that wait most of the time. */
export const WAITING_GRAPH: GraphTraits = {
  kinds: ["stage", "stage", "stage", "fork"],
  modes: ["function", "sleep", "sleep", "wait", "wait", "external"],
  strategies: ["all"],
  longest_sleep: 60_000,
  deadlines: 0.5,
};

/** Graphs of maps and loops. */
export const MAPPING_GRAPH: GraphTraits = {
  kinds: ["stage", "map", "map"],
  modes: ["function", "agent"],
  strategies: ["all", "first", "quorum"],
  longest_sleep: 0,
  deadlines: 0,
};

/** Graphs that ask people. */
export const ASKING_GRAPH: GraphTraits = {
  kinds: ["stage", "stage", "stage", "stage", "fork", "join"],
  modes: ["function", "person", "person", "person", "sleep"],
  strategies: ["all"],
  longest_sleep: 10_000,
  deadlines: 0.2,
};

/** Who is asked. */
export const PEOPLE = ["ann", "bob", "cy"] as const;

const person = (random: Random): JsonObject => {
  const kind = random.pick(["question", "approval", "approval", "dual_control", "escalation"]);
  const limit = random.chance(0.4) ? { timeout_ms: random.pick([500, 5_000, 60_000]) } : {};
  const reviewers = random.chance(0.6) ? [...PEOPLE] : [];
  if (kind === "question") return { kind, prompt: "?", ...(random.chance(0.3) ? { default: 1 } : {}), ...limit };
  if (kind === "approval") return { kind, action: "go", quorum: random.int(1, 3), reviewers, ...limit };
  if (kind === "escalation") return { kind, role: "lead", reason: "stuck" };
  const listed = reviewers.length === 0 ? {} : { approvers: reviewers };
  return { kind, n: random.int(1, 2), m: 3, handler: "work", ...listed, ...limit };
};

/** Messages that stages wait for. */
export const MESSAGES = ["go", "stop"] as const;

const retryPolicy = (random: Random): JsonObject =>
  random.chance(0.5)
    ? {
        retry_policy: {
          max_attempts: random.int(1, 3),
          backoff_ms: random.pick([0, 300, 5_000]),
          ...(random.chance(0.4) ? { backoff_multiplier: random.pick([1, 2, 3]), jitter: random.next() } : {}),
        },
      }
    : {};

const sleepMs = (random: Random, longest: number): number =>
  Math.min(longest, random.pick([0, 40, 1_500, 4_000, 30_000, random.int(60_000, 240_000)]));

const stage = (random: Random, traits: GraphTraits): JsonObject => {
  const mode = random.pick(traits.modes);
  return {
    kind: "stage",
    mode,
    function: "work",
    http: { url: "https://api.example/work" },
    ...(mode === "sleep" ? { sleep: { ms: sleepMs(random, traits.longest_sleep) } } : {}),
    ...(mode === "wait"
      ? {
          wait: {
            message: random.pick(MESSAGES),
            ...(random.chance(0.5) ? { timeout_ms: random.int(300, 60_000) } : {}),
          },
        }
      : {}),
    ...(mode === "person" ? { person: person(random) } : {}),
    ...(mode === "external" && random.chance(0.3) ? { timeout_ms: random.int(2_000, 40_000) } : {}),
    ...retryPolicy(random),
  };
};

const map = (random: Random, traits: GraphTraits): JsonObject => {
  const strategy = random.pick(traits.strategies);
  const executes = random.chance(0.8);
  return {
    kind: "map",
    ...(executes ? { mode: random.pick(["function", "function", "llm", "agent"]), function: "work" } : {}),
    map_policy: {
      ...(random.chance(0.8)
        ? { items: Array.from({ length: random.int(1, 5) }, (_, index) => `item ${index}`) }
        : { item_artifact_kind: "artifact" }),
      ...(random.chance(0.5) ? { max_concurrent: random.int(1, 4) } : {}),
      ...(random.chance(0.2) ? { max_items: random.int(1, 3) } : {}),
    },
    join_policy: { strategy, ...(strategy === "quorum" ? { min_completed: random.int(1, 3) } : {}) },
    ...retryPolicy(random),
  };
};

const node = (random: Random, kind: string, traits: GraphTraits): JsonObject => {
  if (kind === "stage") return stage(random, traits);
  if (kind === "map") return map(random, traits);
  if (kind === "verify") return { kind, verify: random.chance(0.5) ? { command: "make test" } : { assert_text: "ok" } };
  if (kind === "condition") return { kind, metadata: { contains_text: random.pick(["ok", "never"]) } };
  if (kind === "join") return { kind, join_policy: { strategy: random.pick(["all", "any"]) } };
  return { kind };
};

const BRANCHES = [null, null, null, null, null, "success", "failed", "error"];

const DECISIONS = ["success", "approved", "denied", "accepted", "timeout", "error"];

const branchesOf = (random: Random, kind: string, isLast: boolean): readonly (string | null)[] => {
  if (kind === "condition") return ["true", "false"];
  if (kind === "fork") return Array.from({ length: random.int(2, 4) }, () => null);
  if (kind === "verify") return ["passed", random.pick(["failed", null])];
  if (kind === "map") return [null, random.pick(["mapped", "failed", null])];
  return Array.from({ length: isLast ? random.int(0, 1) : random.int(1, 2) }, () => random.pick(BRANCHES));
};

/** A graph with forks, joins, maps, conditions and loops; it may turn out not to be valid. */
export const randomGraph = (random: Random, traits: GraphTraits = ANY_GRAPH): Json => {
  const ids = Array.from({ length: random.int(2, 9) }, (_, index) => `n${index}`);
  const nodes: Record<string, JsonObject> = {};
  const edges: JsonObject[] = [];
  for (const [index, id] of ids.entries()) {
    const kind = index === 0 ? random.pick(["stage", "fork", "fork", "map"]) : random.pick(traits.kinds);
    nodes[id] = node(random, kind, traits);
    // Mostly forward; sometimes back, which makes a loop.
    const target = (step: number): string =>
      random.chance(0.85) ? (ids[Math.min(index + step, ids.length - 1)] as string) : random.pick(ids);
    const asks = nodes[id]?.["mode"] === "person";
    const branches = asks ? DECISIONS : branchesOf(random, kind, index === ids.length - 1);
    for (const [at, branch] of branches.entries())
      edges.push({ from: id, to: target(kind === "fork" ? at + 1 : random.int(1, 2)), branch });
  }
  return { id: "wf", entry: "n0", nodes, edges };
};

/** Options of a run of such a graph. */
export const randomOptions = (random: Random, traits: GraphTraits = ANY_GRAPH): JsonObject => ({
  max_steps: random.int(3, 25),
  ...(random.chance(0.7) ? { max_parallel: random.int(1, 5) } : {}),
  ...(random.chance(traits.deadlines) ? { deadline: random.int(5_000, 300_000) } : {}),
});

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
