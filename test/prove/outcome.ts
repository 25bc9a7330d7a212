import { forkRun } from "../../src/engine/replay/fork.ts";
import { forkSource } from "../../src/engine/replay/fork-source.ts";
import { replayRun } from "../../src/engine/replay/replay.ts";
import { recordedPage, replaySource } from "../../src/engine/replay/source.ts";
import { stateHash } from "../../src/engine/replay/state-hash.ts";
import { err, ok, type Result } from "../../src/lib/result.ts";
import { digestOf } from "../../src/lib/digest.ts";
import { canonicalJson, type Json, type JsonObject } from "../../src/lib/json.ts";
import type { Rejection } from "../../src/engine/machine.ts";
import type { RecordedPage, Recording } from "../../src/engine/replay/next-stage.ts";
import type { AdvanceReply, RunOptions } from "../../src/engine/run/command.ts";
import { decodeRunOptions } from "../../src/schema/run.ts";
import { Random } from "../support/random.ts";
import { createRun, must } from "../support/run-fixture.ts";
import { type Outside, outsideOf } from "./answers.ts";
import { richGraph } from "./graph.ts";
import { playContext, type PlayContext, PlayedRun } from "./played-run.ts";
import { Player } from "./player.ts";

/** What one run of a proof came to. */
export interface Proof {
  readonly seed: number;
  readonly stages: number;
  /** Kinds and modes of its stages. */
  readonly kinds: readonly string[];
  readonly status: string;
  readonly original: string;
  /** The hash of the run made from it. */
  readonly made: string;
  /** Whether making the other run left the journal of the first as it was. */
  readonly untouched: boolean;
  /** How many stages were open where a fork was made. */
  readonly open: number;
  /** Orders of the made run to the outside. */
  readonly effects: Readonly<Record<string, number>>;
  /** Whether the made run says where it comes from. */
  readonly lineage: boolean;
}

const decodeOptions = (raw: JsonObject): Result<RunOptions, Rejection> => {
  const options = decodeRunOptions(raw);
  return options.ok ? ok(options.value) : err({ code: "invalid_request", detail: options.error.message });
};

interface Recorded {
  readonly run: PlayedRun;
  readonly context: PlayContext;
  readonly random: Random;
  readonly seed: number;
}

/** Plays a run with drivers of its own number and order. */
const play = (run: PlayedRun, first: AdvanceReply, seed: number, name: string): void => {
  const random = Random.named(seed, name);
  const drivers = run.run.budget === null ? random.int(1, 6) : 1;
  new Player(run, { outside: outsideOf(seed), random, drivers }).drive(first);
};

const optionsOf = (random: Random): JsonObject => {
  // A loop through a reduce node doubles its text with every pass.
  const max_steps = random.int(3, 16);
  // What several stages spend at the same time is a matter of time.
  if (random.chance(0.15)) return { max_steps, budget: { max_tokens: random.int(50, 400) } };
  return { max_steps, max_parallel: random.pick([1, 1, 2, 3, 4, 5]) };
};

/** A run of a random graph, driven to its end; null when the graph is not valid. */
const recorded = (seed: number): Recorded | null => {
  const random = new Random(seed);
  const context = playContext();
  const run = new PlayedRun(context);
  const graph = richGraph(random);
  const command = createRun(graph, {
    run_id: context.nextId(""),
    options: optionsOf(random),
    artifacts: random.chance(0.5) ? [{ kind: "plan", text: "ok so far" }] : [],
  });
  const first = run.create(command);
  if (first === null) return null;
  play(run, first, seed, "original");
  return { run, context, random, seed };
};

const proofOf = ({ run, seed }: Recorded, made: PlayedRun, before: string): Proof => ({
  seed,
  stages: run.record.stages.length,
  kinds: [...new Set(run.record.stages.map(({ kind, metadata }) => `${kind}/${String(metadata["mode"])}`))],
  status: run.run.status,
  original: stateHash(run.record),
  made: stateHash(made.record),
  untouched: digestOf(run.entries as unknown as Json) === before,
  open: 0,
  effects: Object.fromEntries(made.effects),
  lineage: made.record.parent_run_id === run.run.run_id,
});

/** A random checkpoint of any kind; mostly one with stages open, where the run has such. */
const cutPoint = ({ run, context, random }: Recorded) => {
  const points = run.record.checkpoints.map((checkpoint) => {
    const from = forkSource(run.entries, checkpoint.id, context);
    if (typeof from === "string") throw new Error(`no source: ${from}`);
    return { checkpoint, from };
  });
  const open = points.filter(({ from }) => from.open.length > 0);
  return random.pick(open.length > 0 && random.chance(0.75) ? open : points);
};

/** Forks a random run at a random checkpoint without edits; null when the seed gives no valid graph. */
export const proveFork = (seed: number): Proof | null => {
  const source = recorded(seed);
  if (source === null) return null;
  const { run, context } = source;
  const before = digestOf(run.entries as unknown as Json);
  const { checkpoint, from } = cutPoint(source);
  const request = {
    tenant: "default",
    run_id: context.nextId(""),
    edits: {},
    as: "forked_from",
    decodeOptions,
  } as const;
  const { command } = must(forkRun(from, request, context));
  // The fork begins when its source stood there: how long ago that was may not matter.
  const fork = new PlayedRun({ now: Date.parse(checkpoint.persisted_at), nextId: context.nextId });
  const first = fork.create(command);
  if (first === null) throw new Error("the fork was refused");
  play(fork, first, seed, "fork");
  const { metadata } = fork.record;
  const origin = canonicalJson({ run_id: run.run.run_id, checkpoint_id: checkpoint.id });
  const proof = proofOf(source, fork, before);
  return {
    ...proof,
    open: from.open.length,
    lineage: proof.lineage && canonicalJson(metadata["forked_from"] as Json) === origin,
  };
};

/** Everything a replay could ask of the outside refuses to be asked. */
const silent: Outside = {
  result: (plan) => {
    throw new Error(`a replay called the executor for node ${plan.node_id}`);
  },
  loop: ({ node_id }) => {
    throw new Error(`a replay ran the loop of node ${node_id}`);
  },
  rank: () => 0,
  comes: ({ node_id }) => {
    throw new Error(`a replay waited at node ${node_id}`);
  },
  answer: ({ call_id }) => {
    throw new Error(`a replay asked for call ${call_id}`);
  },
};

/**
 * Replays a random run with an outside that refuses to be called; null when the seed gives no valid graph, or a run that was
 * paused with stages open: a replay has nothing of what these did before.
 */
export const proveReplay = (seed: number): Proof | null => {
  const source = recorded(seed);
  if (source === null || source.run.run.open.length > 0) return null;
  const { run, context } = source;
  const before = digestOf(run.entries as unknown as Json);
  const from = replaySource(run.entries, run.run);
  if (from === null) throw new Error("no source");
  const command = must(replayRun(from, { tenant: "default", run_id: context.nextId(""), decodeOptions }));
  const replay = new PlayedRun(context);
  const first = replay.create(command);
  if (first === null) throw new Error("the replay was refused");
  const recordedOf = ({ from: position }: Recording): RecordedPage => recordedPage(run.entries, run.run, position);
  const random = Random.named(seed, "replay");
  new Player(replay, { outside: silent, random, drivers: 1, recorded: recordedOf }).drive(first);
  const proof = proofOf(source, replay, before);
  return { ...proof, lineage: replay.record.metadata["replayed_from"] === run.run.run_id };
};

/** True when a proof shows what it is to show; a replay asks nothing of the outside but to be listed. */
export const holds = (proof: Proof, what: "fork" | "replay"): boolean =>
  proof.original === proof.made &&
  proof.untouched &&
  proof.lineage &&
  (what === "fork" || Object.keys(proof.effects).every((effect) => effect === "index_run"));

/** As many proofs as asked for, of the seeds from one on that give valid graphs. */
export const proofs = (prove: (seed: number) => Proof | null, count: number, from = 1): readonly Proof[] => {
  const found: Proof[] = [];
  for (let seed = from; found.length < count; seed++) {
    const proof = prove(seed);
    if (proof !== null) found.push(proof);
  }
  return found;
};
