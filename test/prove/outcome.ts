import { forkRun } from "../../src/engine/replay/fork.ts";
import { forkSource } from "../../src/engine/replay/fork-source.ts";
import { replayRun } from "../../src/engine/replay/replay.ts";
import { recordedPage, replaySource } from "../../src/engine/replay/source.ts";
import { stateHash } from "../../src/engine/replay/state-hash.ts";
import { err, ok, type Result } from "../../src/lib/result.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import type { Rejection } from "../../src/engine/machine.ts";
import type { RunOptions } from "../../src/engine/run/command.ts";
import { decodeRunOptions } from "../../src/schema/run.ts";
import { Random } from "../support/random.ts";
import { createRun, must } from "../support/run-fixture.ts";
import { ANY_GRAPH, type GraphTraits, randomGraph, randomResult } from "../sim/graph.ts";
import { type Execute, playContext, type PlayContext, PlayedRun } from "./played-run.ts";

/** What one run of a proof came to. */
export interface Proof {
  readonly seed: number;
  readonly stages: number;
  readonly status: string;
  readonly original: string;
  /** The hash of the run made from it. */
  readonly made: string;
  /** Whether making the other run left the journal of the first as it was. */
  readonly untouched: boolean;
}

const decodeOptions = (raw: JsonObject): Result<RunOptions, Rejection> => {
  const options = decodeRunOptions(raw);
  return options.ok ? ok(options.value) : err({ code: "invalid_request", detail: options.error.message });
};

/** Graphs whose stages are executed one after the other. */
const EXECUTED: GraphTraits = {
  ...ANY_GRAPH,
  kinds: ANY_GRAPH.kinds.filter((kind) => kind !== "map"),
  modes: ["function", "function", "llm", "http", "external"],
};

/** Answers that depend on the node, its visit and the attempt alone. */
const answers =
  (seed: number): Execute =>
  (plan, visit) =>
    randomResult(Random.named(seed, `${plan.node_id}/${visit}/${plan.attempt}`));

interface Recorded {
  readonly run: PlayedRun;
  readonly context: PlayContext;
  readonly random: Random;
  readonly seed: number;
}

/** A run of a random graph, driven to its end; null when the graph is not valid. */
const recorded = (seed: number): Recorded | null => {
  const random = new Random(seed);
  const context = playContext();
  const run = new PlayedRun(context, answers(seed));
  const graph = randomGraph(random, EXECUTED);
  const command = createRun(graph, {
    run_id: context.nextId(""),
    // A loop through a reduce node doubles its text with every pass.
    options: { max_steps: random.int(3, 16) },
    artifacts: random.chance(0.5) ? [{ kind: "plan", text: "ok so far" }] : [],
  });
  const first = run.create(command);
  if (first === null) return null;
  run.drive(first);
  return { run, context, random, seed };
};

const proofOf = ({ run, seed }: Recorded, made: PlayedRun, before: string): Proof => ({
  seed,
  stages: run.record.stages.length,
  status: run.run.status,
  original: stateHash(run.record),
  made: stateHash(made.record),
  untouched: JSON.stringify(run.entries) === before,
});

/** Forks a random run at a random checkpoint without edits; null when the seed gives no valid graph. */
export const proveFork = (seed: number): Proof | null => {
  const source = recorded(seed);
  if (source === null) return null;
  const { run, context, random } = source;
  const before = JSON.stringify(run.entries);
  const checkpoint = random.pick(run.record.checkpoints);
  const from = forkSource(run.entries, checkpoint.id, context);
  if (typeof from === "string") throw new Error(`no source: ${from}`);
  const request = {
    tenant: "default",
    run_id: context.nextId(""),
    edits: {},
    as: "forked_from",
    decodeOptions,
  } as const;
  const { command } = must(forkRun(from, request, context));
  const fork = new PlayedRun(context, answers(seed));
  const first = fork.create(command);
  if (first === null) throw new Error("the fork was refused");
  fork.drive(first);
  return proofOf(source, fork, before);
};

const forbidden: Execute = (plan) => {
  throw new Error(`a replay called the executor for node ${plan.node_id}`);
};

/** Replays a random run with an executor that refuses to be called; null when the seed gives no valid graph. */
export const proveReplay = (seed: number): Proof | null => {
  const source = recorded(seed);
  if (source === null) return null;
  const { run, context } = source;
  const before = JSON.stringify(run.entries);
  const from = replaySource(run.entries, run.run);
  if (from === null) throw new Error("no source");
  const command = must(replayRun(from, { tenant: "default", run_id: context.nextId(""), decodeOptions }));
  const replay = new PlayedRun(context, forbidden);
  const first = replay.create(command);
  if (first === null) throw new Error("the replay was refused");
  replay.drive(first, ({ from: position }) => recordedPage(run.entries, run.run, position));
  return proofOf(source, replay, before);
};

/** As many proofs as asked for, of the seeds from 1 on that give valid graphs. */
export const proofs = (prove: (seed: number) => Proof | null, count: number): readonly Proof[] => {
  const found: Proof[] = [];
  for (let seed = 1; found.length < count; seed++) {
    const proof = prove(seed);
    if (proof !== null) found.push(proof);
  }
  return found;
};
