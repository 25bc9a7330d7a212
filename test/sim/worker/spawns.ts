import { resolveSpawn } from "../../../src/engine/worker/spawn.ts";
import type { SpawnWorker } from "../../../src/engine/worker/command.ts";
import type { Worker } from "../../../src/engine/worker/state.ts";
import type { Json, JsonObject } from "../../../src/lib/json.ts";
import { uuidIds } from "../../../src/ports/ids.ts";
import { digestOf } from "../../../src/lib/digest.ts";
import { decodeSpawnConfig } from "../../../src/schema/worker-spawn.ts";
import type { Random } from "../../support/random.ts";
import { someTools } from "./tools.ts";

const work = (random: Random): JsonObject => ({
  mode: random.pick(["agent", "agent", "function", "llm"]),
  function: "work",
});

const delegate = (random: Random, tools: readonly string[] | null): JsonObject => ({
  ...work(random),
  kind: "subagent",
  ...(random.chance(0.3) ? { capability_policy: { tools: narrowed(random, tools) } } : {}),
  ...(random.chance(0.1) ? { timeout_ms: random.int(20_000, 120_000) } : {}),
});

/** Some of the tools that there are, at least one. */
const narrowed = (random: Random, tools: readonly string[] | null): readonly string[] =>
  tools === null ? someTools(random) : [random.pick(tools)];

const node = (random: Random, tools: readonly string[] | null): JsonObject =>
  random.chance(0.75) ? delegate(random, tools) : { kind: "stage", ...work(random) };

/** A graph that gives stages to workers, at the same time and one after the other. */
export const delegatingGraph = (random: Random, tools: readonly string[] | null): JsonObject => {
  const ids = Array.from({ length: random.int(2, 3) }, (_, index) => `s${index}`);
  const last = Array.from({ length: random.int(0, 2) }, (_, index) => `last${index}`);
  const nodes: Record<string, JsonObject> = { fork: { kind: "fork" }, join: { kind: "join" } };
  for (const id of [...ids, ...last]) nodes[id] = node(random, tools);
  const edges: JsonObject[] = ids.flatMap((id) => [
    { from: "fork", to: id },
    { from: id, to: "join" },
  ]);
  for (const [index, id] of last.entries()) edges.push({ from: last[index - 1] ?? "join", to: id });
  return { id: "wf", entry: "fork", nodes, edges };
};

/** Options of a run of such a graph, and the tools that it allows. */
export const delegatingOptions = (
  random: Random,
): { readonly options: JsonObject; readonly tools: readonly string[] | null } => {
  const tools = random.chance(0.7) ? someTools(random) : null;
  const options = {
    max_steps: 20,
    max_parallel: random.int(1, 4),
    ...(tools === null ? {} : { capability_policy: { tools } }),
  };
  return { options, tools };
};

const kindOf = (random: Random, tools: readonly string[] | null): JsonObject => {
  const roll = random.next();
  if (roll < 0.35) return { graph: delegatingGraph(random, tools) };
  if (roll < 0.65) return { node: { kind: "stage", ...work(random) } };
  return {
    sub_agent: { provider: "scripted", ...(random.chance(0.4) ? { policy: { tools: someTools(random) } } : {}) },
  };
};

const conditionsOf = (random: Random): JsonObject => ({
  timeout: {
    duration_minutes: random.int(1, 3),
    on_timeout: random.pick(["resume_with_summary", "resume_with_input", "fail"]),
  },
});

/** Conditions of a suspension: half of them end by themselves. */
export const suspendConditions = (random: Random): JsonObject | null =>
  random.chance(0.5) ? conditionsOf(random) : null;

/** A worker as somebody asks for it. */
export interface Asked {
  readonly command: SpawnWorker;
  /** Tools that whoever asks allows; null where that is not said. */
  readonly tools: readonly string[] | null;
}

/** A spawn by a person, or on behalf of another worker; null where it exceeds what that one may. */
export const randomSpawn = (random: Random, parent: Worker | null, number: number): Asked | null => {
  const given = parent?.carry_policy.policy?.tools ?? [];
  const ceiling = given.length === 0 ? null : given;
  const tools = random.chance(0.5) ? someTools(random) : null;
  const config: JsonObject = {
    task: `task ${number}`,
    ...kindOf(random, tools ?? ceiling),
    ...(tools === null ? {} : { policy: { tools } }),
    carry: {
      retriggerable: random.chance(0.4),
      transcript_mode: random.pick(["inherit", "fork", "reset", "compact"]),
      artifact_mode: random.pick(["inherit", "none"]),
    },
    ...(random.chance(0.15) ? { options: { resume_when: conditionsOf(random) } } : {}),
  };
  const draft = decodeSpawnConfig(config);
  if (!draft.ok) throw new Error(draft.error);
  const policy = parent?.carry_policy.policy ?? null;
  const scope = { policy, audit: parent?.audit ?? null, session_id: null, check_trigger: () => null as never };
  const request = resolveSpawn(draft.value, scope, { now: Date.now(), nextId: uuidIds });
  if (!request.ok) {
    if (!request.error.includes("exceed")) throw new Error(request.error);
    return null;
  }
  const { wait: _wait, ...init } = request.value;
  const command: SpawnWorker = {
    type: "spawn",
    tenant: "default",
    worker_id: `worker_${number}`,
    ...init,
    request_digest: digestOf(config as Json),
    parent_worker_id: parent?.id ?? null,
    parent_stage_id: null,
    parent: null,
  };
  return { command, tools };
};
