import { standardSchema } from "../../../src/engine/hitl/answer-value.ts";
import { type Asked, askUser, dualControl, escalateTo, requestApproval } from "../../../src/engine/hitl/asked.ts";
import {
  type AskingDispatch,
  dispatchBase,
  dispatchInstance,
  HITL_TOPICS,
  type HitlKind,
  kindOfRequest,
  numberedRequestId,
} from "../../../src/engine/hitl/kind.ts";
import { listPending, pendingFilters, pendingRow } from "../../../src/engine/hitl/pending.ts";
import type { HitlCommand } from "../../../src/engine/hitl/state.ts";
import {
  cancelWaitpoint,
  completeWaitpoint,
  createWaitpoint,
  resolveWaitpoints,
  type Waitpoint,
} from "../../../src/engine/hitl/waitpoint.ts";
import { momentText } from "../../../src/engine/hitl/moment.ts";
import { schemaErrors } from "../../../src/executor/json-schema.ts";
import type { Result } from "../../../src/lib/result.ts";
import { isObject, type Json, type JsonObject } from "../../../src/lib/json.ts";
import { listArg, OperationFailure, type Operation, type Operations, textArg, valueOf } from "../operation.ts";
import type { System } from "../system.ts";

const textOr = (value: Json | undefined, other: string): string => (typeof value === "string" ? value : other);

const askedBy = (kind: HitlKind, args: JsonObject): Result<Asked, string> => {
  const { options } = args;
  if (kind === "question") return askUser(args["prompt"], options);
  if (kind === "approval") return requestApproval(args["action"], options);
  if (kind === "escalation") return escalateTo(args["role"], args["reason"]);
  const { n, m, approvers } = args;
  const name = typeof args["action"] === "string" ? args["action"] : null;
  return dualControl({ n, m, action: { name }, approvers });
};

const request: Operation = (system, args) => {
  const kind = textArg(args, "kind") as HitlKind;
  const asked = valueOf(askedBy(kind, args));
  const dispatch = isObject(args["dispatch"]) ? args["dispatch"] : null;
  const within = dispatch as unknown as AskingDispatch;
  const request_id =
    dispatch === null
      ? system.clock.nextId(`hitl_${kind}`)
      : numberedRequestId(kind, dispatchBase(within), system.requests.next(dispatchInstance(within)));
  const agent = textOr(dispatch?.["agent"], "");
  const trace_id = textOr(dispatch?.["trace_id"], system.clock.nextId("trace"));
  const asking = { request_id, agent, trace_id, run_id: null, requested_at_ms: system.clock.now, asked };
  system.requests.ask(asking, args["result"] ?? null);
  return { request_id, kind };
};

const RESPONSE_KEYS = ["answer", "approved", "accepted", "reviewer", "reason", "metadata", "responded_at", "signature"];

const misfitOf = (system: System, requestId: string, answer: Json): string | null => {
  const found = system.requests.open.find(({ asking }) => asking.request_id === requestId);
  const asked = found?.asking.asked;
  const schema = asked?.kind === "question" ? standardSchema(asked.schema) : null;
  return isObject(schema) ? (schemaErrors(schema, answer)[0] ?? null) : null;
};

const respond: Operation = (system, args) => {
  const request_id = textArg(args, "request_id");
  valueOf(kindOfRequest(request_id));
  const given = RESPONSE_KEYS.flatMap((key) => (args[key] == null ? [] : [[key, args[key]] as const]));
  const response = { request_id, ...Object.fromEntries(given) };
  const misfit = misfitOf(system, request_id, args["answer"] ?? null);
  system.requests.tell(request_id, { type: "respond", response, misfit } as HitlCommand);
};

const result: Operation = (system, args) => {
  const id = textArg(args["request"] as JsonObject, "request_id");
  const outcome = system.requests.outcome(id);
  if (outcome.type === "pending") return { pending: true };
  if (outcome.type === "value") return { value: outcome.value };
  const { message, category, ...facts } = outcome.error;
  throw new OperationFailure(message, category, facts as unknown as JsonObject);
};

const topicOf = (args: JsonObject): string => HITL_TOPICS[textArg(args, "kind") as HitlKind];

const actOf = (system: System, args: JsonObject) => ({
  id: textArg(args, "id"),
  at: momentText(system.clock.now),
  by: typeof args["by"] === "string" ? args["by"] : null,
});

const changed = (system: System, args: JsonObject, change: (known: Waitpoint | null) => Waitpoint): Waitpoint => {
  const id = textArg(args, "id");
  const waitpoint = change(system.waitpoints.get(id) ?? null);
  system.waitpoints.set(id, waitpoint);
  return waitpoint;
};

/** Requests to people and the waitpoints under them (spec/workers 24, 25). */
export const hitlOperations: Operations = {
  hitl_request: request,
  hitl_respond: respond,
  hitl_result: result,
  hitl_events: (system, args) => system.dispatcher.log.read(topicOf(args)).map(({ kind }) => kind),
  hitl_payloads: (system, args) => system.dispatcher.log.read(topicOf(args)).map(({ payload }) => payload),
  hitl_pending: (system, args) => {
    const filters = valueOf(pendingFilters(args["filters"]));
    return listPending(system.requests.open.map(pendingRow), filters);
  },
  hitl_cancel: (system, args) =>
    system.requests.tell(textArg(args, "request_id"), {
      type: "cancel",
      reason: typeof args["reason"] === "string" ? args["reason"] : null,
    }),
  waitpoint_create: (system, args) =>
    changed(system, args, (known) =>
      createWaitpoint(known, { ...actOf(system, args), metadata: args["metadata"] ?? null }),
    ),
  waitpoint_complete: (system, args) =>
    changed(system, args, (known) =>
      completeWaitpoint(known, { ...actOf(system, args), value: args["value"] ?? null }),
    ),
  waitpoint_cancel: (system, args) =>
    changed(system, args, (known) =>
      cancelWaitpoint(known, {
        ...actOf(system, args),
        reason: typeof args["reason"] === "string" ? args["reason"] : null,
      }),
    ),
  waitpoint_resolve: (system, args) =>
    resolveWaitpoints(listArg(args, "ids").map(String), (id) => system.waitpoints.get(id)),
};
