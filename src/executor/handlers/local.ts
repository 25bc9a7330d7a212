import type { HandlerOutcome, OutsideCall } from "../../engine/trigger/handler.ts";
import { isObject, type Json } from "../../lib/json.ts";
import type { Result } from "../../lib/result.ts";
import { err, ok } from "../../lib/result.ts";
import { fillTemplate, scopeOf } from "../../lib/template.ts";
import type { FunctionContext } from "../../ports/functions.ts";
import { flawOf } from "../function.ts";
import { failed, reasonOf, succeeded } from "./outcome.ts";
import type { CallSurroundings } from "./ports.ts";

type LocalCall = Extract<OutsideCall, { readonly kind: "local" }>;

const contextOf = (call: LocalCall, signal: AbortSignal): FunctionContext => ({
  run_id: call.idempotency_key,
  stage_id: call.idempotency_key,
  node_id: call.trigger_id,
  attempt: call.attempt,
  idempotency_key: call.idempotency_key,
  signal,
  trigger: {
    agent: call.trigger_id,
    action: `${call.event.provider}.${call.event.kind}`,
    trace_id: call.trace_id,
    replay_of_event_id: call.replay_of_event_id,
    trigger_event: call.event,
  },
});

const inputOf = (call: LocalCall): Result<Json, string> => {
  const event = call.event as unknown as Json;
  if (call.input === undefined) return ok(event);
  // Functions are given no secrets: what looks like one in an event is text.
  const filled = fillTemplate(call.input, scopeOf({ event }), "kept");
  return filled.ok ? filled : err(`the handler's input names \`${filled.error}\`, which the event does not have`);
};

/** What a function threw, by its category where it has one (spec/triggers 8). */
const thrownOutcome = (thrown: unknown): HandlerOutcome => {
  const reason = reasonOf(thrown);
  if (typeof thrown === "string" && thrown.startsWith("kind:cancelled:")) return failed("cancelled", reason);
  const category = isObject(thrown) ? (thrown as { readonly category?: unknown }).category : undefined;
  if (category === "timeout") return failed("timeout", reason);
  if (category === "tool_rejected") return failed("denied", reason);
  return category === "cancelled" ? failed("cancelled", reason) : failed("local", reason);
};

/** Calls a function that is registered in code; what it returns is the result (spec/triggers 11.1). */
export const callFunction = async (call: LocalCall, around: CallSurroundings): Promise<HandlerOutcome> => {
  const handler = around.functions.find(call.function);
  if (handler === undefined) {
    const known = around.functions.names.join(", ") || "none";
    return failed("not_implemented", `no function "${call.function}" is registered; registered: ${known}`);
  }
  const input = inputOf(call);
  if (!input.ok) return failed("local", input.error, false);
  try {
    const returned: unknown = await handler(input.value, contextOf(call, around.signal));
    const value = returned === undefined ? null : returned;
    const flaw = flawOf(value, "result", 0);
    if (flaw === undefined) return succeeded(value as Json);
    return failed("local", `function "${call.function}" returned what JSON cannot carry: ${flaw}`, false);
  } catch (thrown) {
    return thrownOutcome(thrown);
  }
};
