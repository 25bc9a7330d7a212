import type { Json, JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { reasonOf } from "../problem.ts";
import type { Redaction } from "../redaction.ts";
import { type Allowed, refusalOf } from "./allow.ts";
import { commandAnswer } from "./answer.ts";
import { type CommandPayload, readPayload } from "./payload.ts";
import { isFolder, pathWithin, type Places } from "./places.ts";
import { runShell } from "./shell.ts";
import { type Tree, treeOf, type Trees } from "./worktree.ts";

/** A job that was claimed. */
export interface ClaimedJob {
  readonly job_id: string;
  readonly claim_id: string;
  readonly payload: Json;
}

/** What the queue is told about a job. */
export type Verdict =
  | { readonly type: "ack"; readonly result: JsonObject }
  | { readonly type: "fail"; readonly error: string; readonly retry: boolean }
  | { readonly type: "release"; readonly reason: string };

/** How a runner executes its jobs. */
export interface Workshop {
  readonly allowed: Allowed;
  readonly places: Places;
  readonly trees: Trees;
  /** What every command finds in its environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly max_output_bytes: number;
  readonly kill_after_ms: number;
  readonly secret: Redaction;
}

const refused = (error: string): Verdict => ({ type: "fail", error, retry: false });

const folderOf = (payload: CommandPayload, tree: Tree | null, places: Places): Result<string, string> => {
  const base = tree?.path ?? places.workdir;
  const cwd = pathWithin(places, payload.cwd ?? ".", base);
  if (cwd === null)
    return err(`the runner does not work in "${payload.cwd}": it is outside of its --workdir and --worktrees`);
  return isFolder(cwd) ? ok(cwd) : err(`the runner has no folder ${cwd}`);
};

const execute = async (
  payload: CommandPayload,
  place: { readonly tree: Tree | null; readonly job_id: string },
  { workshop, signal }: { readonly workshop: Workshop; readonly signal: AbortSignal },
): Promise<Verdict> => {
  const cwd = folderOf(payload, place.tree, workshop.places);
  if (!cwd.ok) return refused(cwd.error);
  const { run_id, stage_id, node_id, timeout_ms } = payload;
  const ids = {
    GODWIT_RUN_ID: run_id,
    GODWIT_STAGE_ID: stage_id,
    GODWIT_NODE_ID: node_id,
    GODWIT_JOB_ID: place.job_id,
  };
  const max_output_bytes = Math.min(payload.max_output_bytes ?? workshop.max_output_bytes, workshop.max_output_bytes);
  const end = await runShell({
    command: payload.command,
    cwd: cwd.value,
    env: { ...workshop.env, ...ids, ...payload.env },
    timeout_ms,
    kill_after_ms: workshop.kill_after_ms,
    max_output_bytes,
    signal,
  });
  return { type: "ack", result: commandAnswer(end, { max_output_bytes, timeout_ms, secret: workshop.secret }) };
};

const withTree = async (
  tree: Tree | null,
  trees: Trees,
  { task, signal }: { readonly task: () => Promise<Verdict>; readonly signal: AbortSignal },
): Promise<Verdict> => {
  if (tree === null) return task();
  const entered = await trees.enter(tree, signal);
  if (!entered.ok) return refused(entered.error);
  try {
    return await task();
  } finally {
    await trees.leave(tree);
  }
};

/**
 * Executes the command of a job and says how that went. What this runner does not execute fails for good, what it could
 * not start is for another try; a signal ends the command and gives the job back.
 */
export const carryOut = async (job: ClaimedJob, workshop: Workshop, signal: AbortSignal): Promise<Verdict> => {
  const read = readPayload(job.payload);
  // Somebody else may know what to do with it.
  if (!read.ok) return { type: "fail", error: read.error, retry: true };
  const payload = read.value;
  const refusal = refusalOf(workshop.allowed, payload);
  if (refusal !== null) return refused(refusal);
  const tree = treeOf(payload, workshop.places);
  if (!tree.ok) return refused(tree.error);
  const place = { tree: tree.value, job_id: job.job_id };
  try {
    const task = () => execute(payload, place, { workshop, signal });
    const verdict = await withTree(tree.value, workshop.trees, { task, signal });
    return signal.aborted ? { type: "release", reason: "the runner was stopped" } : verdict;
  } catch (error) {
    return { type: "fail", error: `the command could not be started: ${reasonOf(error)}`, retry: true };
  }
};
