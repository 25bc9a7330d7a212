import type { Json, JsonObject } from "../../lib/json.ts";
import { ok, type Result } from "../../lib/result.ts";
import { rfc3339 } from "../../lib/time.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { Context } from "../machine.ts";
import { carryArtifacts } from "./artifact-carry.ts";
import { withSessionIds } from "./session-ids.ts";
import type { SubAgentSpec, Worker, WorkerConfig } from "./state.ts";
import { carryTranscript } from "./transcript-carry.ts";

/** What a worker is to do next. */
export interface Restart {
  readonly task: string;
  /** True for an input, false for a trigger (spec/workers 16). */
  readonly clear_payload: boolean;
}

/** The fields of a worker that a restart begins anew. */
export type RestartedFields = Pick<
  Worker,
  | "task"
  | "history"
  | "status"
  | "started_at"
  | "finished_at"
  | "awaiting_started_at"
  | "latest_error"
  | "latest_payload"
>;

/** The fields of a worker that its next cycle begins with (spec/workers 16, step 1). */
export const restartedFields = (
  worker: Pick<Worker, "history" | "latest_payload">,
  { task, clear_payload: clear }: Restart,
  { now }: Pick<Context, "now">,
): RestartedFields => ({
  task,
  history: [...worker.history, task],
  status: "running",
  started_at: rfc3339(now),
  finished_at: null,
  awaiting_started_at: null,
  latest_error: null,
  latest_payload: clear ? null : worker.latest_payload,
});

/** What of a worker decides with what its next cycle begins. */
export type Carrying = Pick<Worker, "id" | "artifacts" | "transcript" | "child_run_path" | "carry_policy" | "config">;

const without = (options: JsonObject, key: string): JsonObject =>
  Object.fromEntries(Object.entries(options).filter(([name]) => name !== key));

const workflowOptions = (worker: Carrying, options: JsonObject, transcript: Json): JsonObject => {
  const { carry_policy: carry, child_run_path: path } = worker;
  const told: JsonObject = { ...options, parent_worker_id: worker.id };
  const heard: JsonObject = transcript === null ? without(told, "transcript") : { ...told, transcript };
  if (!carry.resume_workflow) return without(heard, "resume_path");
  return path === null ? heard : { ...heard, resume_path: path };
};

const nextSpec = (spec: SubAgentSpec, task: string, session: string | null): SubAgentSpec =>
  session === null
    ? { ...spec, task }
    : { ...spec, task, session_id: session, options: { ...spec.options, session_id: session } };

/** What a worker executes next and the conversation it goes on with (spec/workers 16, steps 2 to 5). */
export const replayWorkerConfig = (
  worker: Carrying,
  task: string,
  context: Pick<Context, "nextId">,
): Result<{ readonly config: WorkerConfig; readonly transcript: Json }, string> => {
  const { config: before, carry_policy: carry } = worker;
  const carried = carryTranscript(worker.transcript, carry.transcript_mode, context);
  if (!carried.ok) return carried;
  const transcript = carried.value;
  const found = carryArtifacts(worker.artifacts, carry);
  // Nothing carried leaves the inputs of the first cycle in place.
  const inputs = (own: readonly ArtifactRecord[]): readonly ArtifactRecord[] => (found.length > 0 ? found : own);
  const config = withSessionIds(before, worker.id);
  switch (config.mode) {
    case "workflow": {
      const options = workflowOptions(worker, config.options, transcript);
      return ok({ config: { ...config, artifacts: inputs(config.artifacts), options }, transcript });
    }
    case "stage":
      return ok({ config: { ...config, artifacts: inputs(config.artifacts), transcript }, transcript });
    case "sub_agent": {
      const apart = carry.transcript_mode === "fork" || carry.transcript_mode === "reset";
      const session = apart ? context.nextId("sub_agent_session") : null;
      return ok({ config: { ...config, spec: nextSpec(config.spec, task, session) }, transcript });
    }
  }
};

/**
 * A worker as its next cycle finds it (spec/workers 16), or why it cannot be restarted; then nothing of it has changed.
 * What is not said there stays as it is: the suspension, the cycle number and the run are the machine's to change.
 */
export const restart = (worker: Worker, request: Restart, context: Context): Result<Worker, string> => {
  const next = replayWorkerConfig(worker, request.task, context);
  return next.ok ? ok({ ...worker, ...restartedFields(worker, request, context), ...next.value }) : next;
};
