import { canonicalJson, isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { WorkerResumed } from "./event.ts";
import type { Worker } from "./state.ts";
import { digestOf } from "./transcript-carry.ts";

/** Option of a sub-agent, and dedupe key of the reminder, that hold what a resumption tells (spec/workers 17.6). */
export const RESUME_CONTINUITY = "_resume_continuity";

const DEDUPE_KEY = "resume_continuity";

/** Kind of the event that the end of a suspension's time is (spec/workers 18.2). */
export const TIMEOUT_KIND = "auto_resume.timeout";

const countIn = (payload: Json, keys: readonly string[]): number | null => {
  if (!isObject(payload)) return null;
  for (const key of keys) {
    const value = payload[key];
    if (typeof value === "number") return value;
  }
  return null;
};

/** At which turn a worker was suspended, as far as that is known (spec/workers 17.6). */
const turnOf = ({ suspension, latest_payload: payload }: Worker): number | null =>
  suspension?.suspended_at_turn ?? countIn(payload, ["iterations_completed", "iterations"]);

const triggerOf = ({ suspension }: Worker, event: Json): Json => {
  if (!isObject(event)) return null;
  const { id = null, kind = null, provider = null, dedupe_key = null } = event;
  const timeout = suspension?.conditions?.timeout?.on_timeout ?? null;
  return {
    id: suspension?.auto_resume_trigger?.id ?? null,
    event_id: id,
    kind,
    provider,
    dedupe_key,
    timeout_action: kind === TIMEOUT_KIND ? timeout : null,
  };
};

/** The text of a resumption's input as it becomes the task; null for none (spec/workers 17.5). */
export const textOfInput = (input: Json): string | null =>
  input === null || typeof input === "string" ? input : JSON.stringify(input);

const suspensionOf = ({ suspension, snapshot_path }: Worker, turn: number | null): JsonObject => ({
  reason: suspension?.reason ?? "",
  initiator: suspension?.initiator ?? "operator",
  suspended_at: suspension?.suspended_at ?? "",
  snapshot_ref: suspension?.snapshot_ref ?? snapshot_path,
  suspended_at_turn: turn,
  conditions: (suspension?.conditions ?? null) as JsonObject | null,
});

/** What an agent that goes on after a suspension is told of it; `worker` is the one still suspended (spec/workers 17.6). */
export const continuityOf = (worker: Worker, event: Omit<WorkerResumed, "type" | "at" | "on">): JsonObject => {
  const { config, audit, id, name, mode } = worker;
  const session = config.mode === "sub_agent" ? config.spec.session_id : audit.session_id;
  const turn = turnOf(worker);
  const { initiator, input, continue_transcript } = event;
  const resume = {
    initiator,
    input,
    input_rendered: textOfInput(input) ?? "",
    input_present: input !== null,
    continue_transcript,
    digest: continue_transcript ? null : digestOf(worker.transcript),
  };
  return {
    session_id: session,
    session: { id: session },
    worker: { id, name, mode },
    suspension: suspensionOf(worker, turn),
    reason: worker.suspension?.reason ?? "",
    suspended_at_turn: turn ?? 0,
    resume: { ...resume, trigger: triggerOf(worker, event.trigger_event) },
    ...resume,
    turn: 0,
    iteration: 0,
  };
};

/** The reminder that tells an agent of its suspension (spec/workers 17.6). */
export const continuityReminder = (payload: JsonObject): JsonObject => ({
  role: "system",
  content: `You were suspended and go on now: ${canonicalJson(payload)}`,
  metadata: { dedupe_key: DEDUPE_KEY, [DEDUPE_KEY]: payload },
});

/** What the agent of a paused run hears first: for a sub-agent a reminder of the suspension, then the input (spec/workers 17.6). */
export const speechOf = (worker: Worker, event: Omit<WorkerResumed, "type" | "at" | "on">): readonly JsonObject[] => {
  const speech: JsonObject[] = [];
  if (worker.config.mode === "sub_agent") speech.push(continuityReminder(continuityOf(worker, event)));
  const said = textOfInput(event.input);
  if (said !== null) speech.push({ role: "user", content: said });
  return speech;
};
