import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { LAST_MOMENT, rfc3339, type Timestamp } from "../../lib/time.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import type { Message } from "../mailbox/state.ts";
import { failedStage } from "./executed-stage.ts";
import type { ExecutedStage, PreparedStage } from "./state.ts";

const timeIn = (node: WorkflowNode, mode: string, now: Timestamp): Timestamp | null => {
  if (mode === "sleep") {
    const { ms, until } = node.sleep ?? {};
    if (typeof until === "string" && until !== "") return Date.parse(until);
    return now + (ms ?? 0);
  }
  if (mode === "wait" && node.wait?.timeout_ms != null) return now + node.wait.timeout_ms;
  if ((mode === "external" || mode === "subagent") && node.timeout_ms != null && node.timeout_ms > 0)
    return now + node.timeout_ms;
  return null;
};

/** When a stage that waits ends by itself, in milliseconds; null for never. One that waits for ages ends in the year 9999. */
export const deadlineOf = (node: WorkflowNode, mode: string, now: Timestamp): Timestamp | null => {
  const at = timeIn(node, mode, now);
  return at === null ? null : Math.min(at, LAST_MOMENT);
};

const ended = (outcome: string, branch: string, result: JsonObject): ExecutedStage => ({
  status: "completed",
  outcome,
  branch,
  result: { status: "completed", ...result },
  artifacts: [],
  verification: null,
  usage: null,
  error: null,
});

/** What a stage comes to whose time is over: a sleep has slept, a wait timed out, an external stage failed. */
export const executedAtDeadline = (unit: PreparedStage, deadline: Timestamp): ExecutedStage => {
  const at = rfc3339(deadline);
  if (unit.mode === "sleep") return ended("slept", "success", { text: "", visible_text: "", slept_until: at });
  if (unit.mode === "wait") {
    const text = `no message came until ${at}`;
    return ended("timeout", "timeout", { text, visible_text: text, timed_out: true });
  }
  if (unit.mode === "subagent") return failedStage(`Error [timeout]: the worker did not end until ${at}`);
  return failedStage(`Error [timeout]: nobody completed the stage until ${at}`);
};

const spoken = (payload: Json): string => {
  if (typeof payload === "string") return payload;
  if (isObject(payload) && typeof payload["text"] === "string") return payload["text"];
  return payload === null ? "" : JSON.stringify(payload);
};

/** The result of a stage that heard its message: the payload is its data, and its text where it is one. */
export const heardResult = (message: Message): JsonObject => {
  const text = spoken(message.payload);
  return {
    status: "completed",
    text,
    visible_text: text,
    data: message.payload,
    message: message as unknown as JsonObject,
  };
};
