import { hasMarker } from "../../lib/body-marker.ts";
import { byteLength, type Json, type JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import type { FunctionCall } from "../../schema/plan.ts";
import type { Asked } from "../hitl/asked.ts";
import type { Asking } from "../hitl/envelope.ts";
import { numberedRequestId } from "../hitl/kind.ts";
import { askedByNode } from "../hitl/node.ts";
import type { Draft } from "./draft.ts";
import { filledTemplate } from "./filled-template.ts";
import type { UnitInput } from "./stage-work.ts";
import type { PersonWork, Run } from "./state.ts";

/** Most UTF-8 bytes of what people are asked: it has to fit into a message, and to be read. */
const MAX_ASKED_BYTES = 32_768;

/** What is shown as it stands: the names of kinds and functions, and a schema, are no templates. */
const UNFILLED: ReadonlySet<string> = new Set(["kind", "handler", "schema"]);

const filledPerson = (run: Run, node: WorkflowNode, input: UnitInput): Result<JsonObject, string> => {
  const entries = Object.entries((node.person ?? {}) as JsonObject);
  const template = Object.fromEntries(entries.filter(([key]) => !UNFILLED.has(key)));
  const filled = filledTemplate(run, { node_id: node.id ?? "", input, template }, "kept");
  if (!filled.ok) return filled;
  const kept = Object.fromEntries(entries.filter(([key]) => UNFILLED.has(key)));
  return ok({ ...(filled.value as JsonObject), ...kept });
};

const excess = (node: WorkflowNode, asked: Asked): string | null => {
  const text = JSON.stringify(asked);
  if (!hasMarker(text) && byteLength(text) <= MAX_ASKED_BYTES) return null;
  return `workflow stage ${node.id} asks people with more than ${MAX_ASKED_BYTES} bytes: show them less`;
};

/**
 * What a stage asks people, with its templates filled in, and what is carried out once they have approved it
 * (spec/workers 24, 31).
 */
export const planPerson = (
  run: Run,
  node: WorkflowNode,
  { input, defaultInput }: { readonly input: UnitInput; readonly defaultInput: Json },
): Result<PersonWork, string> => {
  const filled = filledPerson(run, node, input);
  if (!filled.ok) return filled;
  const { kind, handler, input: own } = filled.value;
  const audit = run.options["audit"] ?? null;
  // What is released is what was shown.
  const released = kind === "dual_control" ? { input: own ?? defaultInput } : {};
  const asked = askedByNode({ ...filled.value, ...released }, { policy: run.policy as unknown as Json, audit });
  if (!asked.ok) return err(`workflow stage ${node.id}: ${asked.error}`);
  const tooMuch = excess(node, asked.value);
  if (tooMuch !== null) return err(tooMuch);
  const call: FunctionCall | null =
    asked.value.kind === "dual_control" ? { name: String(handler), input: own ?? defaultInput } : null;
  return ok({ type: "person", request_id: "", handler: call, asked: asked.value });
};

const traceOf = ({ run, context }: Draft): string => {
  const event = run.trigger_event as JsonObject | null;
  const trace = event?.["trace_id"];
  return typeof trace === "string" && trace !== "" ? trace : context.nextId("trace");
};

/**
 * The request of a stage that is about to be prepared. Its id says which run it belongs to, so that an answer finds the run
 * at once (spec/workers 24.2, 31).
 */
export const askingOf = (draft: Draft, { asked }: PersonWork, number: number): Asking => {
  const { run_id, workflow_id: agent } = draft.run;
  const what = asked as Asked;
  return {
    request_id: numberedRequestId(what.kind, run_id, number),
    agent,
    trace_id: traceOf(draft),
    run_id,
    requested_at_ms: draft.context.now,
    asked: what,
  };
};

/** The work as the journal keeps it: what is asked stands in the request's own event. */
export const askedWork = ({ handler }: PersonWork, { request_id }: Asking): PersonWork => ({
  type: "person",
  request_id,
  handler,
});

/** The work of an open stage for another run to ask anew: an approval is of one run alone. */
export const workToAsk = (run: Run, { request_id: id, handler }: PersonWork): PersonWork => {
  const asked = run.requests.get(id)?.request.asking.asked;
  return { type: "person", request_id: "", handler, ...(asked === undefined ? {} : { asked }) };
};
