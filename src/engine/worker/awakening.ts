import type { Json } from "../../lib/json.ts";
import type { Answer } from "../machine.ts";
import type { WorkerCommand, WorkerReply } from "./command.ts";
import type { WorkerState } from "./state.ts";

/** An event of the trigger that waits for a suspended worker (spec/workers 18.3). */
export interface AwakeningEvent {
  /** The suspension the trigger belongs to: an event that comes later wakes no later one. */
  readonly suspended_at: string;
  readonly input: Json;
  readonly trigger_event: Json;
}

/** What became of it: the worker goes on, somebody else was faster, it has not come to rest yet, or it cannot be. */
export type Awakening =
  | { readonly type: "resumed" }
  | { readonly type: "overtaken" | "busy"; readonly detail: string }
  | { readonly type: "refused"; readonly code: string; readonly detail: string; readonly retryable: boolean };

/** The input of a payload that says nothing is none. */
export const blankAsNull = (payload: Json): Json =>
  typeof payload === "string" && payload.trim() === "" ? null : payload;

/** The resumption that an event asks for. */
export const awakeningCommand = (event: AwakeningEvent): Extract<WorkerCommand, { readonly type: "resume" }> => ({
  type: "resume",
  continue_transcript: true,
  initiator: "triggered",
  ...event,
});

/** What the answer to that resumption means for the event; `state` is the worker right behind it. */
export const awakeningOf = (
  answer: Answer<WorkerReply>,
  state: WorkerState,
  { suspended_at }: AwakeningEvent,
): Awakening => {
  if (answer.ok) return { type: "resumed" };
  const { code, detail } = answer.rejection;
  if (code === "worker_not_found") return { type: "overtaken", detail };
  if (code !== "invalid_transition") return { type: "refused", code, detail, retryable: code === "unavailable" };
  const isStill = state?.status === "suspended" && state.suspension?.suspended_at === suspended_at;
  return { type: isStill ? "busy" : "overtaken", detail };
};
