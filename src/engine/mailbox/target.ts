import { isObject, type Json, valueAt } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";

/** Which mailbox a target names. */
export interface MailboxTarget {
  readonly workflow_id: string;
  /** Kept for whoever asks where the target came from; a mailbox has no place in a file system. */
  readonly base_dir: string | null;
}

const ID_PATHS = ["workflow_id", "workflow", "run.workflow_id", "result.run.workflow_id"] as const;
const PATH_PATHS = ["persisted_path", "path", "run.persisted_path", "result.run.persisted_path"] as const;

/** Directory of run records below the one that counts. */
const RUNS_DIR = ".harn-runs";

const textAt = (target: Json, paths: readonly string[]): string | null => {
  for (const path of paths) {
    const value = valueAt(target, path);
    if (typeof value === "string" && value.trim() !== "") return value;
  }
  return null;
};

const segmentsOf = (path: string): readonly string[] => path.split(/[/\\]/).filter((segment) => segment !== "");

/** An id is one segment of a path and never leads anywhere. */
const plainId = (id: string): string => {
  const last = segmentsOf(id.trim()).at(-1)?.trim() ?? "";
  return last === "" || last === "." || last === ".." ? "workflow" : last;
};

const parentOf = (path: string): string => {
  const at = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  if (at < 0) return "";
  return at === 0 ? path.slice(0, 1) : path.slice(0, at);
};

const baseDirOf = (target: Json): string | null => {
  const given = textAt(target, ["base_dir"]);
  if (given !== null) return given;
  const path = textAt(target, PATH_PATHS);
  if (path === null) return null;
  const parent = parentOf(path);
  return segmentsOf(parent).at(-1) === RUNS_DIR ? parentOf(parent) : parent;
};

/**
 * The mailbox a target names: an id, or an object with `workflow_id`, `workflow`, `run.workflow_id` or
 * `result.run.workflow_id`. Directories before the id are dropped; an id that says nothing is `workflow`. The errors
 * begin with the operation's name (spec/workflow 13).
 */
export const mailboxTarget = (target: Json | undefined, operation: string): Result<MailboxTarget, string> => {
  if (target === undefined || target === null) return err(`${operation}: missing target`);
  if (typeof target === "string") return ok({ workflow_id: plainId(target), base_dir: null });
  const id = isObject(target) ? textAt(target, ID_PATHS) : null;
  if (id === null) return err(`${operation}: target must be a workflow id string or dict with workflow_id/workflow`);
  return ok({ workflow_id: plainId(id), base_dir: baseDirOf(target) });
};

/** The name of a message or query; without one the error of the operation. */
export const mailboxName = (name: Json | undefined, operation: string): Result<string, string> =>
  typeof name === "string" && name !== "" ? ok(name) : err(`${operation}: missing name`);

/** The request id of an update; without one the error of the operation. */
export const updateRequestId = (id: Json | undefined, operation: string): Result<string, string> =>
  typeof id === "string" && id !== "" ? ok(id) : err(`${operation}: missing request id`);
