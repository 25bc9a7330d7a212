import type { Json, JsonObject } from "../../src/lib/json.ts";
import type { Random } from "../support/random.ts";

/** Milliseconds of waits; far enough apart that a few seconds of work never change which one is over first. */
const SCALES = [1e7, 1e10, 1e13] as const;

/** What a node may ask for; times are given out once each. */
interface Chest {
  readonly random: Random;
  readonly times: number[];
}

const retry = (random: Random): JsonObject =>
  random.chance(0.5)
    ? { retry_policy: { max_attempts: random.int(1, 3), backoff_ms: random.pick([0, 300, 5_000]) } }
    : {};

const SCRIPT: JsonObject = { script: { replies: [] } };

const talking = (random: Random): JsonObject => ({
  kind: "stage",
  mode: random.pick(["llm", "llm", "agent", "agent", "agent"]),
  ...(random.chance(0.5) ? { model_policy: { session_id: random.pick(["talk", "chat"]) } } : {}),
  ...(random.chance(0.3) ? { output_visibility: "public" } : {}),
  ...SCRIPT,
});

const working = (random: Random): JsonObject => ({
  kind: "stage",
  mode: random.pick(["function", "http", "llm"]),
  function: "work",
  http: { url: "https://api.example/work" },
  ...SCRIPT,
  ...retry(random),
});

const waiting = ({ random, times }: Chest): JsonObject => {
  const ms = times.pop();
  const kind = random.int(0, 2);
  if (kind === 0)
    return ms === undefined
      ? { kind: "stage", mode: "sleep", sleep: { until: "1970-01-01T00:00:01Z" } }
      : { kind: "stage", mode: "sleep", sleep: { ms } };
  if (kind === 1)
    return { kind: "stage", mode: "wait", wait: { message: "go", ...(ms === undefined ? {} : { timeout_ms: ms }) } };
  return { kind: "stage", mode: "external", ...(ms === undefined ? {} : { timeout_ms: ms }), ...retry(random) };
};

const map = (random: Random): JsonObject => {
  const isData = random.chance(0.25);
  const strategy = random.pick(["all", "all", "first", "quorum"]);
  const mode = random.pick(["function", "http", "llm", "agent"]);
  return {
    kind: "map",
    ...(isData
      ? {}
      : { mode, function: "work", http: { url: "https://api.example/work" }, ...SCRIPT, ...retry(random) }),
    map_policy: {
      ...(random.chance(0.7)
        ? { items: Array.from({ length: random.int(1, 5) }, (_, index) => `item ${index}`) }
        : { max_items: 4 }),
      ...(random.chance(0.5) ? { max_concurrent: random.int(1, 3) } : {}),
      output_kind: "mapped",
    },
    join_policy: { strategy, min_completed: 2 },
  };
};

const verify = (random: Random): JsonObject => {
  const how = random.pick<JsonObject>([
    { command: "make test" },
    { command: "make test", queue: "runners" },
    { assert_text: "ok" },
    { function: "check" },
  ]);
  return { kind: "verify", verify: how, ...SCRIPT };
};

const reduce = (random: Random): JsonObject => ({
  kind: "reduce",
  ...(random.chance(0.5) ? { function: "put together", ...retry(random) } : {}),
});

const MAKERS: readonly ((chest: Chest) => JsonObject)[] = [
  ({ random }) => talking(random),
  ({ random }) => talking(random),
  ({ random }) => working(random),
  ({ random }) => working(random),
  waiting,
  waiting,
  ({ random }) => map(random),
  ({ random }) => map(random),
  ({ random }) => verify(random),
  ({ random }) => reduce(random),
  ({ random }) => ({ kind: "condition", metadata: { contains_text: random.pick(["ok", "never"]) } }),
  () => ({ kind: "fork" }),
  ({ random }) => ({ kind: "join", join_policy: { strategy: random.pick(["all", "any"]) } }),
  () => ({ kind: "escalation" }),
];

const outgoing = (random: Random, node: JsonObject, isLast: boolean): readonly (string | null)[] => {
  if (node["kind"] === "condition") return ["true", "false"];
  if (node["kind"] === "fork") return Array.from({ length: random.int(2, 4) }, () => null);
  if (node["kind"] === "verify") return ["passed", random.pick(["failed", null])];
  const any = [null, null, null, null, "success", "failed", "error", "timeout", "mapped"];
  return Array.from({ length: isLast ? random.int(0, 1) : random.int(1, 2) }, () => random.pick(any));
};

/** A graph of every kind of node, with forks, joins, conditions and loops; it may turn out not to be valid. */
export const richGraph = (random: Random): Json => {
  const chest = { random, times: [...SCALES].filter(() => random.chance(0.8)) };
  const ids = Array.from({ length: random.int(2, 10) }, (_, index) => `n${index}`);
  const nodes: Record<string, JsonObject> = {};
  const edges: JsonObject[] = [];
  for (const [index, id] of ids.entries()) {
    const isFork = index === 0 && random.chance(0.5);
    const node = isFork ? { kind: "fork" } : (random.pick(MAKERS) as (chest: Chest) => JsonObject)(chest);
    nodes[id] = node;
    // Mostly forward; sometimes back, which makes a loop.
    for (const branch of outgoing(random, node, index === ids.length - 1)) {
      const ahead = ids[Math.min(index + random.int(1, 4), ids.length - 1)] as string;
      edges.push({ from: id, to: random.chance(0.85) ? ahead : random.pick(ids), branch });
    }
  }
  return { id: "wf", entry: "n0", nodes, edges };
};
