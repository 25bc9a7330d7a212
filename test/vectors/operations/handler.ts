import { circuitOpenedText, circuitOpenText } from "../../../src/engine/trigger/circuit.ts";
import { classifyError } from "../../../src/engine/trigger/error-class.ts";
import { destinationOf, handlerCallFor, handlerOf, type HandlerOutcome } from "../../../src/engine/trigger/handler.ts";
import { DEFAULT_RETRY, delayAfter, type Retry } from "../../../src/engine/trigger/retry.ts";
import { performHandler } from "../../../src/executor/handlers/perform.ts";
import { parseHandlerUri } from "../../../src/lib/handler-uri.ts";
import { isObject, type Json, type JsonObject } from "../../../src/lib/json.ts";
import { rfc3339 } from "../../../src/lib/time.ts";
import type { TriggerEvent } from "../../../src/schema/trigger.ts";
import { handlerPortsOf } from "../handler-ports.ts";
import { type Operations, textArg, valueOf } from "../operation.ts";
import type { System } from "../system.ts";

const eventArg = (system: System, args: JsonObject): TriggerEvent => {
  const given = (args["event"] ?? {}) as JsonObject;
  return {
    id: system.clock.nextId("trigger_evt"),
    provider: "github",
    kind: "issues.opened",
    received_at: rfc3339(system.clock.now),
    occurred_at: null,
    dedupe_key: "",
    trace_id: system.clock.nextId("trace"),
    tenant_id: null,
    headers: {},
    provider_payload: {},
    signature_status: { state: "unsigned" },
    ...given,
  } as TriggerEvent;
};

const retryArg = (args: JsonObject): Retry => {
  const given = args["retry"];
  return isObject(given) ? ({ ...DEFAULT_RETRY, ...given } as unknown as Retry) : DEFAULT_RETRY;
};

interface Ended {
  readonly status: "succeeded" | "dlq" | "failed" | "cancelled";
  readonly attempt_count: number;
  readonly result: Json;
  readonly error: string | null;
}

const endedBy = (outcome: HandlerOutcome, attempt: number): Ended => {
  const common = { attempt_count: attempt, result: null };
  if (outcome.type === "succeeded") return { ...common, status: "succeeded", result: outcome.result, error: null };
  const status = outcome.retryable ? "dlq" : outcome.class === "cancelled" ? "cancelled" : "failed";
  return { ...common, status, error: outcome.error };
};

const dispatchToAgent = async (system: System, args: JsonObject): Promise<unknown> => {
  const event = eventArg(system, args);
  const target = textArg(args, "target").replace(/^a2a:\/\//, "");
  const handler = handlerOf({ a2a: target, allow_cleartext: args["allow_cleartext"] === true }, false);
  if (handler === null || handler.kind === "workflow") throw new Error("not a remote agent");
  const trigger = "a2a";
  const dispatch_id = system.clock.nextId("dispatch");
  const destination = destinationOf(handler);
  const circuit = system.circuits.named(destination);
  const retry = retryArg(args);
  const before = system.agents.calls;
  const attempts = async (attempt: number): Promise<Ended> => {
    const attempt_id = `${dispatch_id}#${attempt}`;
    const admission = circuit.allow({ attempt_id });
    if (!admission.allowed) {
      const error = circuitOpenText(destination, admission.retry_at_ms, system.clock.now);
      return { status: "dlq", attempt_count: attempt - 1, result: null, error };
    }
    const facts = { dispatch_id, attempt, trigger_id: trigger, binding_version: 1, replay_of_event_id: null };
    const call = handlerCallFor(event, handler, facts);
    const outcome = await performHandler(call, handlerPortsOf(system), new AbortController().signal);
    const isFailure = outcome.type === "failed" && outcome.retryable;
    const report = outcome.type === "succeeded" ? "success" : isFailure ? "failure" : "unused";
    const { opened } = circuit.report({ attempt_id, outcome: report });
    const end = endedBy(outcome, attempt);
    if (opened) return { ...end, error: circuitOpenedText(destination, end.error ?? "") };
    const wait = isFailure ? delayAfter(retry, attempt) : null;
    if (wait === null) return end;
    system.clock.moveTo(system.clock.now + wait);
    return attempts(attempt + 1);
  };
  return {
    trigger_id: trigger,
    binding_key: `${trigger}@v1`,
    event_id: event.id,
    handler_kind: handler.kind,
    target_uri: handler.target_uri,
    replay_of_event_id: null,
    ...(await attempts(1)),
    remote_requests: system.agents.calls - before,
  };
};

/** Handlers of triggers (spec/triggers 5.3, 11 and 12.5). */
export const handlerOperations: Operations = {
  parse_handler_uri: (_system, args) => valueOf(parseHandlerUri(textArg(args, "uri"))),
  classify_dlq_error: (_system, args) => classifyError(textArg(args, "error")),
  dispatch_a2a: dispatchToAgent,
};
