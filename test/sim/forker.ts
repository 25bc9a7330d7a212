import { readEntries } from "../../durable-objects/shell/journal.ts";
import type { RunEvent } from "../../src/engine/run/event.ts";
import { type Fork, type ForkEdits, forkRun } from "../../src/engine/replay/fork.ts";
import type { ForkSource } from "../../src/engine/replay/fork-source.ts";
import { evolve } from "../../src/engine/run/evolve.ts";
import type { PreparedStage, Run, RunState } from "../../src/engine/run/state.ts";
import type { CreateRun } from "../../src/engine/run/command.ts";
import { uuidIds } from "../../src/ports/ids.ts";
import type { Rejection } from "../../src/engine/machine.ts";
import type { Result } from "../../src/lib/result.ts";
import { Random } from "../support/random.ts";
import { insist } from "./client.ts";
import {
  addDescendant,
  decodeOptions,
  type Descent,
  keepJournal,
  readFrom,
  recordOf,
  ENDED,
  sameParts,
  WALKED,
} from "./descend.ts";
import { randomResult } from "./graph.ts";
import { cancel, createRun } from "./people.ts";
import { Process } from "./process.ts";
import type { RunObject } from "./real-object.ts";
import { Violation } from "./violation.ts";
import type { WatchedRun } from "./watched-run.ts";
import type { World } from "./world.ts";

const FORK_ID = "run-2";

/** How often the forker looks whether its moment has come. */
const LOOK_MS = 400;

const PARKED: ReadonlySet<string> = new Set(["external", "sleep", "wait"]);

const isParked = (unit: PreparedStage): boolean => PARKED.has(unit.mode) || (unit.loop?.pending.length ?? 0) > 0;

type Moment = "any" | "open" | "parked" | "paused" | "cancelled" | "over";

/** The run as it stood at one of its checkpoints. */
const runAt = ({ host }: WatchedRun, checkpointId: string): Run => {
  let state: RunState = null;
  for (const { events } of readEntries<RunEvent>(host.store, 0))
    for (const event of events) {
      state = evolve(state, event);
      if (event.type === "checkpoint_taken" && event.checkpoint_id === checkpointId && state !== null) return state;
    }
  throw new Violation("lineage", `the journal has no checkpoint ${checkpointId}`);
};

const stagesOpenAt = (source: WatchedRun, checkpointId: string): readonly string[] =>
  runAt(source, checkpointId)
    .open.filter((unit) => unit.branch_of === null)
    .map((unit) => unit.node_id);

/** Waits for the moment at which the run is forked; brings it about where it does not come by itself. */
const awaitMoment = async (process: Process, source: WatchedRun, moment: Moment, random: Random): Promise<void> => {
  const { checker } = source;
  const hasOpen = (wanted: (unit: PreparedStage) => boolean): boolean =>
    checker.units.recorded > 0 && checker.state?.open.some(wanted) === true;
  const hasCome = {
    any: () => checker.state !== null,
    paused: () => checker.units.recorded > 0,
    cancelled: () => checker.units.recorded > 0,
    open: () => hasOpen(() => true),
    parked: () => hasOpen(isParked),
    over: () => false,
  };
  await process.sleep(random.int(100, moment === "any" ? 40_000 : 3_000));
  while (!source.isOver && !hasCome[moment]()) await process.sleep(LOOK_MS);
  if (moment === "paused") await insist(source, process, { request: { type: "pause_run" } });
  if (moment === "cancelled") await cancel(source);
};

const checkpointsOf = (object: RunObject): readonly string[] => recordOf(object).checkpoints.map(({ id }) => id);

/** A checkpoint of the run, often the newest; null when it is over and took none. */
const chooseCheckpoint = async (process: Process, source: WatchedRun, random: Random): Promise<string | null> => {
  for (;;) {
    const isLast = source.isOver;
    const checkpoints = await readFrom(process, source, { name: "checkpoints", read: checkpointsOf });
    const withOpen = checkpoints.filter((id) => stagesOpenAt(source, id).length > 0);
    if (withOpen.length > 0 && random.chance(0.5)) return random.pick(withOpen);
    if (checkpoints.length > 0) return random.pick(checkpoints);
    if (isLast) return null;
    await process.sleep(LOOK_MS);
  }
};

/** What the fork starts from; null for a run that has grown too large to be forked there. */
const readSource = async (process: Process, source: WatchedRun, checkpointId: string): Promise<ForkSource | null> => {
  const from = await readFrom(process, source, {
    name: "fork source",
    read: (object) => object.forkSource(checkpointId),
  });
  if (from === "too_large") return null;
  if (typeof from === "string") throw new Violation("lineage", `no fork at a checkpoint of the run: ${from}`);
  return from;
};

const forkOf = (world: World, source: ForkSource, edits: ForkEdits): Result<Fork, Rejection> =>
  forkRun(
    source,
    { tenant: "default", run_id: FORK_ID, edits, as: "forked_from", decodeOptions },
    { now: world.clock(), nextId: uuidIds },
  );

const randomEdits = (world: World, source: ForkSource, random: Random): ForkEdits => {
  if (random.chance(0.5)) return {};
  if (random.chance(0.5)) return { task: "do something else" };
  const last = source.record.stages.at(-1);
  if (last === undefined) return {};
  const edits = { stage_results: { [last.id]: { result: randomResult(random) } } };
  // The result of a stage that nobody executed cannot be replaced.
  return forkOf(world, source, edits).ok ? edits : {};
};

const noteSource = ({ seen }: Descent, from: ForkSource, source: WatchedRun): void => {
  seen(`fork of ${from.status}`);
  const open = source.checker.state?.open ?? [];
  if (from.record.pending_nodes.length > 0) seen("fork with pending nodes");
  if (open.length > 0) seen("fork while stages are open");
  if (stagesOpenAt(source, from.checkpoint_id).length > 0) seen("fork at a checkpoint with open stages");
  if (open.some(isParked)) seen("fork while a stage is parked");
};

/** A fork has before it what was open and what was ready, and has taken the steps of both that were taken. */
const checkSource = (source: WatchedRun, from: ForkSource): void => {
  const { ready, steps } = runAt(source, from.checkpoint_id);
  const open = stagesOpenAt(source, from.checkpoint_id);
  const begins = [from.open.map(({ node_id }) => node_id), from.record.pending_nodes].map((nodes) => nodes.join());
  const stood = [open, ready].map((nodes) => nodes.join());
  if (JSON.stringify(begins) !== JSON.stringify(stood))
    throw new Violation(
      "lineage",
      `a fork begins with ${begins.join(" and ")}; open and ready were ${stood.join(" and ")}`,
    );
  if (from.steps !== steps) throw new Violation("lineage", `a fork begins with ${from.steps} steps of ${steps}`);
};

const wrong = (what: string): never => {
  throw new Violation("lineage", `a fork has ${what}`);
};

/** Where the fork comes from stands in it, and all that the source had done by then. */
const checkLineage = (fork: WatchedRun, from: ForkSource, edits: ForkEdits): void => {
  const record = recordOf(fork.host.object());
  if (record.id !== FORK_ID) wrong(`the id ${record.id}`);
  if (record.parent_run_id !== from.run_id) wrong(`the parent ${record.parent_run_id}`);
  if (record.root_run_id !== (from.record.root_run_id ?? from.run_id)) wrong(`the root ${record.root_run_id}`);
  const { checkpoint_id, run_id } = from;
  if (JSON.stringify(record.metadata["forked_from"]) !== JSON.stringify({ run_id, checkpoint_id }))
    wrong(`the origin ${JSON.stringify(record.metadata["forked_from"])}`);
  if (record.task !== (edits.task ?? from.record.task)) wrong(`the task ${record.task}`);
  for (const [index, { id }] of from.record.stages.entries())
    if (record.stages[index]?.id !== id) wrong(`another stage than ${id} at ${index}`);
};

/** Nodes whose way on depends on what they see. */
const SEEING: ReadonlySet<string> = new Set(["condition", "verify"]);

/** Looks at the end whether an unedited fork came to what its source came to, where nothing but the graph decides. */
const compareAtEnd = (
  source: WatchedRun,
  fork: WatchedRun,
  { seen, from }: Descent & { readonly from: ForkSource },
): void => {
  source.world.atEnd.push(() => {
    // A stage that was given up because its drivers were lost is what went wrong itself.
    if (source.checker.units.gaveUp || fork.checker.units.gaveUp) return;
    const records = [recordOf(source.host.object()), recordOf(fork.host.object())] as const;
    const hadOpen = stagesOpenAt(source, from.checkpoint_id).length > 0;
    if (hadOpen && Object.values(from.graph.nodes).some(({ kind }) => SEEING.has(kind))) return;
    sameParts(records, hadOpen ? WALKED : ENDED, "lineage");
    seen(`fork compared${hadOpen ? " from open stages" : ""}`);
  });
};

const commandOf = (world: World, from: ForkSource, edits: ForkEdits): CreateRun => {
  const made = forkOf(world, from, edits);
  if (!made.ok) throw new Violation("lineage", `the fork was refused: ${made.error.detail}`);
  return made.value.command;
};

/** Lets a run go on that was paused to be forked. */
const resume = async (process: Process, source: WatchedRun): Promise<void> => {
  if (source.checker.pausedBy === "client") await insist(source, process, { request: { type: "resume_run" } });
};

/** Forks the first run at a random moment, under a key and with edits or without, and sees to it that the fork is driven. */
export const forkFirst = async (world: World, descent: Descent): Promise<void> => {
  const random = Random.named(descent.seed, "fork");
  const process = new Process(world, "forker", false);
  const source = world.first;
  const moments = ["any", "open", "over"] as const;
  const wanted: readonly Moment[] = descent.is_ordered ? moments : [...moments, "parked", "paused", "cancelled"];
  const moment = descent.is_late ? "over" : random.pick(wanted);
  await awaitMoment(process, source, moment, random);
  const checkpoint = await chooseCheckpoint(process, source, random);
  const from = checkpoint === null ? null : await readSource(process, source, checkpoint);
  if (from === null) {
    if (moment === "paused") await resume(process, source);
    world.expected -= 1;
    return;
  }
  checkSource(source, from);
  noteSource(descent, from, source);
  keepJournal(source);
  if (moment === "paused") await resume(process, source);
  const edits = randomEdits(world, from, random);
  descent.seen(`fork edits ${Object.keys(edits).join() || "nothing"}`);
  const fork = addDescendant(world, FORK_ID, false);
  fork.create = commandOf(world, from, edits);
  world.atEnd.push(() => checkLineage(fork, from, edits));
  if (descent.is_ordered && Object.keys(edits).length === 0) compareAtEnd(source, fork, { ...descent, from });
  await createRun(fork, async (client) =>
    commandOf(world, (await readSource(client, source, from.checkpoint_id)) ?? from, edits),
  );
};
