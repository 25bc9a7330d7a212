import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { WorktreeSpec } from "../../lib/worktree.ts";

/** What a job asks a runner for. */
export interface CommandPayload {
  readonly command: string;
  /** null for the runner's own folder, or the job's working tree. */
  readonly cwd: string | null;
  readonly env: Readonly<Record<string, string>>;
  readonly worktree: WorktreeSpec | null;
  /** Names the tree where the job does not. */
  readonly worker_id: string;
  /** 0 for no bound. */
  readonly timeout_ms: number;
  /** Of each of its streams; null for what the runner keeps. */
  readonly max_output_bytes: number | null;
  readonly run_id: string;
  readonly stage_id: string;
  readonly node_id: string;
}

const textAt = (object: JsonObject, key: string): string | null => {
  const value = object[key];
  return typeof value === "string" && value !== "" ? value : null;
};

const countAt = (object: JsonObject, key: string): number | null => {
  const value = object[key];
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? Math.floor(value) : null;
};

const worktreeOf = (value: Json | undefined): WorktreeSpec | null => {
  if (!isObject(value)) return null;
  return {
    repo: textAt(value, "repo") ?? "",
    path: textAt(value, "path"),
    branch: textAt(value, "branch"),
    base_ref: textAt(value, "base_ref"),
    cleanup: textAt(value, "cleanup"),
  };
};

const environmentOf = (value: Json | undefined): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(isObject(value) ? value : {}).filter(
      (entry): entry is [string, string] => typeof entry[1] === "string",
    ),
  );

/** Reads the payload of a job; the error says why it is none that a runner executes. */
export const readPayload = (payload: unknown): Result<CommandPayload, string> => {
  if (!isObject(payload) || payload["type"] !== "command")
    return err('a runner executes only jobs whose payload has the type "command"');
  const command = textAt(payload, "command");
  if (command === null || command.trim() === "") return err("the job has no command");
  const worktree = payload["worktree"];
  const run_id = textAt(payload, "run_id") ?? "";
  const worker_id = (isObject(worktree) ? textAt(worktree, "worker_id") : null) ?? run_id;
  return ok({
    command,
    cwd: textAt(payload, "cwd"),
    env: environmentOf(payload["env"]),
    worktree: worktreeOf(worktree),
    worker_id: worker_id === "" ? "job" : worker_id,
    timeout_ms: countAt(payload, "timeout_ms") ?? 0,
    max_output_bytes: countAt(payload, "max_output_bytes"),
    run_id,
    stage_id: textAt(payload, "stage_id") ?? "",
    node_id: textAt(payload, "node_id") ?? "",
  });
};
