import type { Json, JsonObject } from "../../src/lib/json.ts";
import type { Random } from "./random.ts";

const KINDS = ["stage", "stage", "stage", "agent", "map", "map", "fork", "fork", "join", "sleep", "wait", "external"];

const retry = (random: Random): JsonObject =>
  random.chance(0.4) ? { retry_policy: { max_attempts: random.int(1, 3), backoff_ms: random.pick([0, 500]) } } : {};

const mapNode = (random: Random): JsonObject => {
  const mode = random.pick(["function", "function", "function", "external", "agent", "sleep", null]);
  const items = Array.from({ length: random.int(1, 6) }, (_, index) => index);
  return {
    kind: "map",
    mode,
    function: "work",
    sleep: { ms: 1 },
    // Some branches cannot be prepared.
    ...(mode === "function" && random.chance(0.2) ? { input: "{{input.data.missing}}" } : {}),
    map_policy: { items, ...(random.chance(0.5) ? { max_concurrent: random.int(1, 3) } : {}) },
    join_policy: random.pick<JsonObject>([
      { strategy: "all" },
      { strategy: "first" },
      { strategy: "quorum", min_completed: 2 },
    ]),
    ...retry(random),
  };
};

const node = (random: Random, kind: string): JsonObject => {
  const timeout = random.chance(0.3) ? { timeout_ms: 2_000 } : {};
  switch (kind) {
    case "map":
      return mapNode(random);
    case "fork":
      return { kind };
    case "join":
      return { kind, join_policy: { strategy: random.pick(["all", "any"]) } };
    case "sleep":
      return { kind: "stage", mode: "sleep", sleep: { ms: random.pick([0, 1_000, 30_000]) } };
    case "wait":
      return { kind: "stage", mode: "wait", wait: { message: "go", ...timeout } };
    case "external":
      return { kind: "stage", mode: "external", ...timeout };
    case "agent":
      return { kind: "stage", mode: "agent", prompt: "Work", ...retry(random) };
    default:
      return { kind: "stage", mode: "function", function: "work", ...retry(random) };
  }
};

/** A graph whose stages may be open side by side: forks, joins, maps, agents and waits; it may turn out not to be valid. */
export const openGraph = (random: Random): Json => {
  const ids = Array.from({ length: random.int(2, 9) }, (_, index) => `n${index}`);
  const nodes: Record<string, JsonObject> = {};
  const edges: JsonObject[] = [];
  for (const [index, id] of ids.entries()) {
    const kind = index === 0 ? random.pick(["fork", "fork", "map"]) : random.pick(KINDS);
    nodes[id] = node(random, kind);
    const last = index === ids.length - 1;
    const target = (): string =>
      random.chance(0.9) ? (ids[Math.min(index + random.int(1, 3), ids.length - 1)] as string) : random.pick(ids);
    const count = kind === "fork" ? random.int(3, 4) : last ? random.int(0, 1) : random.int(1, 2);
    for (let edge = 0; edge < count; edge++)
      edges.push({ from: id, to: target(), branch: random.pick([null, null, null, null, "error", "timeout"]) });
  }
  return { id: "wf", entry: "n0", nodes, edges };
};
