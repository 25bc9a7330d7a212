import type { Json, JsonObject } from "../../lib/json.ts";
import type { Result } from "../../lib/result.ts";
import type { Context } from "../machine.ts";
import { continuityOf, RESUME_CONTINUITY, textOfInput } from "./continuity.ts";
import type { TaskGiven, WorkerResumed } from "./event.ts";
import { restart } from "./restart.ts";
import type { Worker, WorkerConfig } from "./state.ts";
import { digestOf, reducedTranscript } from "./transcript-carry.ts";

/** A context that keeps the ids it gives, so that an event can hold them. */
export const recording = ({ now, nextId }: Context): { readonly context: Context; readonly ids: readonly string[] } => {
  const ids: string[] = [];
  const recorded = (prefix: string): string => {
    const id = nextId(prefix);
    ids.push(id);
    return id;
  };
  return { context: { now, nextId: recorded }, ids };
};

/** The context that an event was decided in: its moment, and its ids in their order. */
const recorded = (at: string, ids: readonly string[]): Context => {
  let next = 0;
  return { now: Date.parse(at), nextId: () => ids[next++] ?? "" };
};

const withoutContinuity = (config: WorkerConfig): WorkerConfig => {
  if (config.mode !== "sub_agent" || !Object.hasOwn(config.spec.options, RESUME_CONTINUITY)) return config;
  const { [RESUME_CONTINUITY]: _consumed, ...options } = config.spec.options;
  return { ...config, spec: { ...config.spec, options } };
};

/** A worker's next cycle with a task, or why it cannot begin (spec/workers 16). */
export const withTask = (
  worker: Worker,
  { task, by }: Pick<TaskGiven, "task" | "by">,
  context: Context,
): Result<Worker, string> => {
  const fresh = { ...worker, config: withoutContinuity(worker.config) };
  const restarted = restart(fresh, { task, clear_payload: by === "input" }, context);
  return restarted.ok ? { ok: true, value: { ...restarted.value, cycle: worker.cycle + 1, run: null } } : restarted;
};

/** Folds a task that was given. */
export const taskGiven = (worker: Worker, event: TaskGiven): Worker => {
  const next = withTask(worker, event, recorded(event.at, event.ids));
  return next.ok ? next.value : worker;
};

const withSpecTask = (config: WorkerConfig, task: string): WorkerConfig =>
  config.mode === "sub_agent" ? { ...config, spec: { ...config.spec, task } } : config;

/** Puts the input of a resumption or restoration in as the task; nothing for none. */
export const withInput = (worker: Worker, input: Json): Worker => {
  const task = textOfInput(input);
  if (task === null) return worker;
  return { ...worker, task, history: [...worker.history, task], config: withSpecTask(worker.config, task) };
};

/** The conversation that a worker goes on with where it does not continue the one before (spec/workers 17.5). */
export const digestedTranscript = ({ transcript }: Worker): Json => reducedTranscript(transcript, digestOf(transcript));

const hasWorked = ({ run, transcript, artifacts, latest_payload }: Worker): boolean =>
  run !== null || transcript !== null || artifacts.length > 0 || latest_payload !== null;

/** Gives what the worker has to what it executes; its history, its start and its carry policy stay. */
const carriedOver = (worker: Worker, at: string): Worker => {
  if (!hasWorked(worker)) return worker;
  const { carry_policy, history, started_at, task } = worker;
  const inherit = { ...worker, carry_policy: { ...carry_policy, transcript_mode: "inherit" } };
  const next = restart(inherit, { task, clear_payload: false }, recorded(at, []));
  return next.ok ? { ...next.value, carry_policy, history, started_at } : worker;
};

const withContinuity = (config: WorkerConfig, payload: JsonObject): WorkerConfig => {
  if (config.mode !== "sub_agent") return config;
  const options = { ...config.spec.options, [RESUME_CONTINUITY]: payload };
  return { ...config, spec: { ...config.spec, options } };
};

/** Folds a resumption (spec/workers 17.5, step 6). Neither `started_at` nor the carry policy has a say in it. */
export const workerResumed = (worker: Worker, event: WorkerResumed): Worker => {
  const { run } = worker;
  const awake: Worker = {
    ...worker,
    status: "running",
    suspension: null,
    resume_at_ms: null,
    finished_at: null,
    latest_error: null,
    config: withoutContinuity(worker.config),
  };
  if (event.on === "result") return awake;
  const transcript = event.continue_transcript ? worker.transcript : digestedTranscript(worker);
  const told = { ...withInput(awake, event.input), transcript, cycle: worker.cycle + 1 };
  if (event.on === "run") return run === null ? told : { ...told, run: { ...run, paused: false } };
  const next = { ...carriedOver(told, event.at), run: null };
  return { ...next, config: withContinuity(next.config, continuityOf(worker, event)) };
};
