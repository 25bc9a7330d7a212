import type { HandlerOutcome, OutsideCall } from "../../engine/trigger/handler.ts";
import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { parseJson } from "../../lib/json-text.ts";
import { failed, succeeded } from "./outcome.ts";
import type { A2aPush } from "./ports.ts";

/** A call of a remote agent. */
export type A2aCall = Extract<OutsideCall, { readonly kind: "a2a" }>;

/** Where a call goes to; shown in the handle of a task that is not finished. */
export interface AgentEndpoint {
  readonly target_agent: string;
  readonly rpc_url: string;
  readonly card_url: string;
  readonly agent_id: string | null;
}

const messageId = (call: A2aCall): string => `${call.trace_id}.${call.event_id}`;

/** What the agent gets of an event, as the text of a message (spec/triggers 11.2, point 4). */
const envelope = (call: A2aCall, targetAgent: string): JsonObject => ({
  kind: "harn.trigger.dispatch",
  message_id: messageId(call),
  trace_id: call.trace_id,
  event_id: call.event_id,
  trigger_id: call.trigger_id,
  binding_key: call.binding_key,
  target_agent: targetAgent,
  replay_of_event_id: call.replay_of_event_id,
  event: call.event as unknown as JsonObject,
});

const pushConfig = ({ url, token }: A2aPush): JsonObject => ({ url, ...(token === undefined ? {} : { token }) });

/** The JSON-RPC request `message/send`; the same for every attempt. */
export const sendRequest = (call: A2aCall, targetAgent: string, push: A2aPush | undefined): JsonObject => {
  const text = JSON.stringify(envelope(call, targetAgent));
  const message = {
    kind: "message",
    messageId: messageId(call),
    role: "user",
    contextId: call.trace_id,
    // Versions of the protocol differ in the name of the key that says what a part is.
    parts: [{ kind: "text", type: "text", text }],
  };
  const configuration =
    push === undefined
      ? {}
      : { configuration: { blocking: false, returnImmediately: true, pushNotificationConfig: pushConfig(push) } };
  const params = { contextId: call.trace_id, message, ...configuration };
  return { jsonrpc: "2.0", id: messageId(call), method: "message/send", params };
};

/** The JSON-RPC request that asks an agent to report the end of a task. */
export const pushRequest = (taskId: string, push: A2aPush): JsonObject => ({
  jsonrpc: "2.0",
  id: `${taskId}.push`,
  method: "tasks/pushNotificationConfig/set",
  params: { taskId, pushNotificationConfig: pushConfig(push) },
});

const objectsIn = (value: Json | undefined): readonly JsonObject[] =>
  Array.isArray(value) ? (value as readonly Json[]).filter(isObject) : [];

const textIn = (parts: Json | undefined): string | undefined =>
  objectsIn(parts)
    .map((part) => part["text"])
    .findLast((text) => typeof text === "string");

const isOfAgent = (message: JsonObject): boolean => ["agent", "ROLE_AGENT"].some((role) => message["role"] === role);

/** The last text an agent has said: in the task's history, in its status, or in what it has produced. */
const lastText = (task: JsonObject): string | undefined => {
  const said = objectsIn(task["history"]).filter(isOfAgent);
  const status = isObject(task["status"]) ? task["status"]["message"] : undefined;
  const produced = objectsIn(task["artifacts"]);
  const sources = [...produced, ...(isObject(status) ? [status] : []), ...said];
  return sources.map((source) => textIn(source["parts"])).findLast((text) => text !== undefined);
};

/** A text that is JSON stands for its value. */
const valueIn = (text: string | undefined): Json => {
  if (text === undefined) return null;
  const parsed = parseJson(text);
  return parsed.ok ? parsed.value : text;
};

/** The state of a task in one spelling: `TASK_STATE_INPUT_REQUIRED` is `input-required`, `cancelled` is `canceled`. */
const stateOf = (task: JsonObject): string => {
  const state = isObject(task["status"]) ? task["status"]["state"] : task["state"];
  const name = typeof state === "string" ? state.toLowerCase() : "unknown";
  const plain = name.replace(/^task_state_/, "").replaceAll("_", "-");
  return plain === "cancelled" ? "canceled" : plain;
};

const ENDED_BADLY = new Set(["failed", "rejected", "canceled"]);

const taskOutcome = (task: JsonObject, endpoint: AgentEndpoint): HandlerOutcome => {
  const state = stateOf(task);
  if (state === "completed") return succeeded(valueIn(lastText(task)));
  const task_id = typeof task["id"] === "string" ? task["id"] : null;
  if (ENDED_BADLY.has(state)) {
    const reason = lastText(task);
    return failed("a2a", `A2A task '${task_id ?? ""}' ended as ${state}${reason === undefined ? "" : `: ${reason}`}`);
  }
  if (task_id === null) return failed("a2a", "A2A agent answered with a task that has no id");
  return succeeded({ kind: "a2a_task_handle", task_id, state, ...endpoint });
};

const rpcError = (error: Json): string => {
  const { code, message } = isObject(error) ? error : {};
  return `A2A agent answered with error ${String(code ?? "")}: ${typeof message === "string" ? message : ""}`;
};

/** What an agent's answer to `message/send` means (spec/triggers 11.2, point 6). */
export const outcomeOf = (answer: Json, endpoint: AgentEndpoint): HandlerOutcome => {
  if (!isObject(answer)) return failed("a2a", "A2A agent answered with no JSON-RPC response");
  const { error, result } = answer;
  if (error !== undefined && error !== null) return failed("a2a", rpcError(error));
  if (!isObject(result)) return failed("a2a", "A2A agent answered without a result");
  const { task, message } = result;
  if (isObject(task)) return taskOutcome(task, endpoint);
  if (isObject(message)) return succeeded(valueIn(textIn(message["parts"])));
  return isOfAgent(result) || result["kind"] === "message"
    ? succeeded(valueIn(textIn(result["parts"])))
    : taskOutcome(result, endpoint);
};
