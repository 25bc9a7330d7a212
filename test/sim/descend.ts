import { readEntries } from "../../durable-objects/shell/journal.ts";
import type { Rejection } from "../../src/engine/machine.ts";
import { stateHash } from "../../src/engine/replay/state-hash.ts";
import type { RunOptions } from "../../src/engine/run/command.ts";
import type { RunEvent } from "../../src/engine/run/event.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import { err, ok, type Result } from "../../src/lib/result.ts";
import type { RunRecord } from "../../src/schema/record.ts";
import { decodeRunOptions } from "../../src/schema/run.ts";
import { untilAnswered } from "./client.ts";
import { answerCalls, workByHand } from "./people.ts";
import type { Process } from "./process.ts";
import type { RunObject } from "./real-object.ts";
import { Violation } from "./violation.ts";
import type { WatchedRun } from "./watched-run.ts";
import type { World } from "./world.ts";

/** How a run is made from another one in a simulation. */
export interface Descent {
  readonly seed: number;
  /** Whether what comes of the graph depends on neither time nor faults: an unedited fork then comes to the same. */
  readonly is_ordered: boolean;
  /** Whether the run is over when it is forked. */
  readonly is_late: boolean;
  /** What happened, for the test to see that it did. */
  readonly seen: (what: string) => void;
}

/** The options of a run that is made from another one. */
export const decodeOptions = (raw: JsonObject): Result<RunOptions, Rejection> => {
  const options = decodeRunOptions(raw);
  return options.ok ? ok(options.value) : err({ code: "invalid_request", detail: options.error.message });
};

/** Reads from a run through its stub until it has answered; reading commits nothing. */
export const readFrom = <Read>(
  process: Process,
  run: WatchedRun,
  { name, read }: { readonly name: string; readonly read: (object: RunObject) => Read },
): Promise<Read> =>
  untilAnswered(process, {
    host: run.host,
    name,
    call: (object) => {
      const before = run.checker.diskSeq();
      const answer = read(object);
      if (run.checker.diskSeq() !== before) throw new Violation("lineage", `${name} wrote to the run it read`);
      return answer;
    },
  });

/** The record of a run as its object shows it. */
export const recordOf = (object: RunObject): RunRecord => {
  const record = object.record({})?.record ?? null;
  if (record === null) throw new Violation("lineage", "a run that was created has no record");
  return record;
};

const journalOf = ({ host }: WatchedRun, upTo: number): string =>
  JSON.stringify(readEntries<RunEvent>(host.store, 0).filter(({ seq }) => seq <= upTo));

/** Looks at the end whether the journal of a run, as far as it goes now, is still the same. */
export const keepJournal = (run: WatchedRun): void => {
  const upTo = run.checker.diskSeq();
  const journal = journalOf(run, upTo);
  run.world.atEnd.push(() => {
    if (journalOf(run, upTo) !== journal)
      throw new Violation("lineage", "a run that was forked or replayed is not what it was");
  });
};

/** A run that is about to be created, with the people who look after it. */
export const addDescendant = (world: World, id: string, isReplay: boolean): WatchedRun => {
  const run = world.addRun({ id, name: id, variant: world.first.variant, is_replay: isReplay });
  world.expected -= 1;
  workByHand(run).catch(world.stray);
  answerCalls(run).catch(world.stray);
  return run;
};

/** What two runs came to without their ids, part by part, where they went apart. */
export const difference = (left: RunRecord, right: RunRecord): string => {
  const parts = [left, right].map(partsOf);
  const differing = Object.keys(parts[0] ?? {}).filter((part) => parts[0]?.[part] !== parts[1]?.[part]);
  return differing
    .map((part) => `${part}: ${parts[0]?.[part]} -> ${parts[1]?.[part]}`)
    .join("; ")
    .slice(0, 2_000);
};

const partsOf = (run: RunRecord): Record<string, string> => {
  const places = new Map(run.artifacts.map(({ id }, place) => [id, place]));
  const placesOf = (ids: readonly string[]): string => ids.map((id) => places.get(id) ?? "?").join();
  return {
    status: run.status,
    stages: run.stages.map(({ node_id, outcome, branch }) => `${node_id} ${outcome} ${branch}`).join(", "),
    consumed: run.stages.map(({ consumed_artifact_ids: ids }) => placesOf(ids)).join(" | "),
    produced: run.stages.map(({ produced_artifact_ids: ids }) => placesOf(ids)).join(" | "),
    texts: run.artifacts.map(({ text }) => text).join(" | "),
    lineage: run.artifacts.map(({ lineage }) => placesOf(lineage)).join(" | "),
    transitions: run.transitions.map(({ from_node_id: from, to_node_id: to }) => `${from}-${to}`).join(),
    completed: run.completed_nodes.join(),
    pending: run.pending_nodes.join(),
    error: JSON.stringify(run.metadata["error"] ?? null),
  };
};

/** What a replay has in common with a run that was ended from outside: all that its stages did. */
export const DONE = ["stages", "produced", "consumed", "texts", "lineage", "transitions"];

/** What a fork has in common with its source where stages were open: those begin anew, and see what came meanwhile. */
export const WALKED = ["status", "stages", "transitions", "completed", "pending", "error"];

/** What a fork has in common with its source where nothing was open: attempts are of who was lost, and not of the graph. */
export const ENDED = [...new Set([...DONE, ...WALKED])];

/** Fails unless two runs are the same in some of their parts. */
export const sameParts = (
  [left, right]: readonly [RunRecord, RunRecord],
  parts: readonly string[],
  invariant: "lineage" | "replay",
): void => {
  const [was, is] = [partsOf(left), partsOf(right)];
  if (parts.some((part) => was[part] !== is[part]))
    throw new Violation(invariant, `${right.id} is not ${left.id} over again: ${difference(left, right)}`);
};

/** Fails unless two runs came to the same. */
export const sameOutcome = (left: RunRecord, right: RunRecord, invariant: "lineage" | "replay"): void => {
  if (stateHash(left) !== stateHash(right))
    throw new Violation(invariant, `${right.id} is not ${left.id} over again: ${difference(left, right)}`);
};
