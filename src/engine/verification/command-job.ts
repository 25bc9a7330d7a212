import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { stableUuid } from "../../lib/stable-uuid.ts";
import type { JobRequest } from "../work-queue/job.ts";

// The command of a verify node as a job for a runner outside, and what comes back (spec/workflow 7.1, 20).

const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "");

/**
 * The result of a verify stage from what a runner answered: `{stdout, stderr, exit_status, success}`. The exit status is
 * -1 where none was told: a command that was killed never passes (spec/workflow 7.1).
 */
export const commandResult = (command: string, answer: Json): JsonObject => {
  const given = isObject(answer) ? answer : {};
  const [stdout, stderr] = [textOf(given["stdout"]), textOf(given["stderr"])];
  const text = [stdout, stderr].filter((part) => part !== "").join("\n");
  const told = given["exit_status"];
  const exit_status = typeof told === "number" && Number.isInteger(told) ? told : -1;
  const success = exit_status === 0;
  return { status: "completed", text, visible_text: text, command, stdout, stderr, exit_status, success };
};

/** The result of a verify stage whose command was not executed. */
export const commandFailure = (error: string): JsonObject => ({
  __workflow_stage_error: true,
  status: "failed",
  text: "",
  visible_text: "",
  error,
  error_category: "tool_error",
  retryable: false,
});

/** The queue that a node's command goes to: its own, the run's, or null when none is configured (spec/workflow 20). */
export const commandQueue = (verify: Json, options: JsonObject): string | null => {
  const own = isObject(verify) ? verify["queue"] : undefined;
  for (const name of [own, options["command_queue"]])
    if (typeof name === "string" && name.trim() !== "") return name.trim();
  return null;
};

/** A stage whose command is to be executed by a runner. */
export interface CommandStage {
  readonly run: {
    readonly tenant: string;
    readonly run_id: string;
    readonly workflow_id: string;
    readonly options?: JsonObject;
  };
  readonly stage_id: string;
  readonly node_id: string;
  readonly attempt: number;
  readonly attempt_token: string;
  readonly command: string;
  readonly verify: Json;
  readonly timeout_ms: number;
}

const objectOf = (value: Json | undefined): JsonObject => (isObject(value) ? value : {});

const textsOf = (value: Json | undefined): readonly (readonly [string, Json])[] =>
  Object.entries(objectOf(value)).filter(([, text]) => typeof text === "string");

/** The members that are texts, the empty ones excepted. */
const texts = (members: Readonly<Record<string, Json | undefined>>): JsonObject =>
  Object.fromEntries(textsOf(members as JsonObject).filter(([, text]) => text !== ""));

/** The working tree of a stage: the node's own, else that of the run's execution (spec/workers 5). */
const worktreeOf = (verify: JsonObject, execution: JsonObject): JsonObject | null => {
  const own = verify["worktree"];
  if (isObject(own)) {
    const { path, branch, base_ref, cleanup } = own;
    return { repo: textOf(own["repo"]), ...texts({ path, branch, base_ref, cleanup }) };
  }
  if (execution["adapter"] !== "worktree") return null;
  const { worktree_path: path, branch, base_ref, cleanup } = execution;
  return { repo: textOf(execution["repo_path"]), ...texts({ path, branch, base_ref, cleanup }) };
};

/** Where a command runs: what its node says, else what the run's option `execution` says (spec/workers 5). */
const placeOf = ({ run, verify: given }: CommandStage): JsonObject => {
  const verify = objectOf(given);
  const execution = objectOf(run.options?.["execution"]);
  const worktree = worktreeOf(verify, execution);
  // In a tree the run's own folder is the tree, which only the runner knows the path of.
  const cwd = textOf(verify["cwd"]) || (worktree === null ? textOf(execution["cwd"]) : "");
  const env = [...textsOf(execution["env"]), ...textsOf(verify["env"])];
  const worker_id = textOf(run.options?.["parent_worker_id"]) || run.run_id;
  return {
    ...(cwd === "" ? {} : { cwd }),
    ...(env.length === 0 ? {} : { env: Object.fromEntries(env) }),
    ...(worktree === null ? {} : { worktree: { ...worktree, worker_id } }),
  };
};

/** How many bytes of each of its streams the node wants, where it says so. */
const outputLimit = (verify: Json): JsonObject => {
  const bytes = objectOf(verify)["max_output_bytes"];
  return typeof bytes === "number" && Number.isInteger(bytes) && bytes > 0 ? { max_output_bytes: bytes } : {};
};

const MAX_ID_LENGTH = 200;

/** The id of a stage's job: the stage's own for its first attempt, so that it is put into the queue once. */
export const jobIdOf = ({ stage_id, attempt }: Pick<CommandStage, "stage_id" | "attempt">): string => {
  const id = attempt <= 1 ? stage_id : `${stage_id}#${attempt}`;
  return id.length <= MAX_ID_LENGTH ? id : `job_${stableUuid(id)}`;
};

/** The job for a stage's command. The token is kept from the runner: only the queue completes the stage. */
export const commandJob = (stage: CommandStage): JobRequest => {
  const { run, stage_id, node_id, attempt_token, command, timeout_ms } = stage;
  return {
    job_id: jobIdOf(stage),
    payload: {
      type: "command",
      run_id: run.run_id,
      workflow_id: run.workflow_id,
      stage_id,
      node_id,
      command,
      ...placeOf(stage),
      timeout_ms,
      ...outputLimit(stage.verify),
    },
    priority: "normal",
    labels: { tenant: null, binding_key: run.workflow_id, trigger_id: null },
    max_deliveries: null,
    target: { tenant: run.tenant, run_id: run.run_id, stage_id, node_id, attempt_token, command },
  };
};
