import { unknownHandler } from "../../driver/finish.ts";
import { auditRecord } from "../../engine/finish/audit.ts";
import { handoffOutOfOrder } from "../../engine/finish/acknowledge.ts";
import type { LifecycleOutcome, LifecycleRequest } from "../../engine/finish/command.ts";
import { byteLength, type Json } from "../../lib/json.ts";
import { err, type Result } from "../../lib/result.ts";
import {
  acknowledgeHandoffSchema,
  auditPageSchema,
  auditQuery,
  auditReceiptSchema,
  dispositionReceiptSchema,
  dispositionSchema,
  emitAuditSchema,
  handoffAcknowledgedSchema,
  handOffSchema,
  handoffPageSchema,
  handoffReceiptSchema,
  onFinishReceiptSchema,
  onFinishSchema,
  unsettledSchema,
} from "../../schema/api-finish.ts";
import type { Call } from "../call.ts";
import { keyOf } from "../idempotency.ts";
import { CURSOR_ISSUE, decodeCursor, encodeCursor } from "../page.ts";
import { invalid, problem, type Problem } from "../problem.ts";
import { done, type Router } from "../router.ts";
import { runNotFound, runObject } from "../run-object.ts";
import { suspendedOf } from "../suspended.ts";
import { tellLifecycle } from "../tell-lifecycle.ts";
import { unsettledOf } from "../unsettled-ports.ts";

const tag = "Finish";

/** What a caller may leave in the record of a run at once. */
const MAX_PAYLOAD_BYTES = 65_536;

/** Tells a run what to audit, hand on or decide, once for each idempotency key. */
const tell = async (
  call: Call,
  runId: string,
  request: LifecycleRequest,
): Promise<Result<LifecycleOutcome, Problem>> => {
  const { type: operation, ...rest } = request;
  const size = byteLength(JSON.stringify(rest));
  if (size > MAX_PAYLOAD_BYTES)
    return err(problem("payload_too_large", `${size} bytes are more than the limit of ${MAX_PAYLOAD_BYTES} bytes`));
  return tellLifecycle(call, runId, { request, key: keyOf(call, operation, request) });
};

const addUnsettled = (router: Router): void => {
  router.add(
    {
      method: "get",
      path: "/v1/runs/{run_id}/unsettled",
      operation: "get_run_unsettled",
      tag,
      summary: "What a run has left unsettled",
      description:
        "Suspended workers, triggers that wait, open handoffs, calls of models under way, tasks of pools. Everybody is asked at the same time; who does not answer is listed as unknown.",
      access: "runs:read",
      reply: { status: 200, description: "The snapshot", name: "Unsettled", schema: unsettledSchema },
      problems: ["run_not_found"],
    },
    async ({ params, call }) => {
      const snapshot = await unsettledOf(call, params.run_id);
      if (snapshot === null) return runNotFound(params.run_id);
      const { run: _, ...shown } = snapshot;
      return done(shown);
    },
  );
  router.add(
    {
      method: "get",
      path: "/v1/runs/{run_id}/handoffs",
      operation: "list_run_handoffs",
      tag,
      summary: "List the open handoffs of a run, oldest first",
      access: "runs:read",
      reply: { status: 200, description: "All of them", name: "HandoffPage", schema: handoffPageSchema },
      problems: ["run_not_found"],
    },
    async ({ params, call }) => {
      const own = await runObject(call.env, call.tenant, params.run_id).unsettled();
      return own === null ? runNotFound(params.run_id) : done({ items: own.partial_handoffs, next_cursor: null });
    },
  );
};

const addAudit = (router: Router): void => {
  router.add(
    {
      method: "get",
      path: "/v1/runs/{run_id}/audit",
      operation: "list_run_audit",
      tag,
      summary: "List the lifecycle audit of a run, oldest first",
      access: "runs:read",
      query: auditQuery,
      reply: { status: 200, description: "A page", name: "AuditPage", schema: auditPageSchema },
      problems: ["run_not_found"],
    },
    async ({ params, query, call }) => {
      const position = query.cursor === undefined ? ["0"] : decodeCursor(query.cursor, 1);
      if (position === null || !/^\d{1,9}$/.test(position[0] ?? "")) return invalid([CURSOR_ISSUE]);
      const request = { after: Number(position[0]), limit: query.limit };
      const page = await runObject(call.env, call.tenant, params.run_id).audit(request);
      if (page === null) return runNotFound(params.run_id);
      const { entries, more } = page;
      const last = entries.at(-1);
      return done({
        items: query.as === "records" ? entries.map(auditRecord) : entries,
        next_cursor: more && last !== undefined ? encodeCursor([String(last.seq)]) : null,
      });
    },
  );
  router.add(
    {
      method: "post",
      path: "/v1/runs/{run_id}/audit",
      operation: "emit_run_audit",
      tag,
      summary: "Add an entry to the audit of a run",
      description: "Also when the run is over.",
      access: "runs:write",
      body: { name: "EmitAudit", schema: emitAuditSchema },
      reply: { status: 201, description: "The entry", name: "AuditReceipt", schema: auditReceiptSchema },
      problems: ["run_not_found", "idempotency_key_reused", "payload_too_large"],
    },
    async ({ params, body, call }) => {
      const { kind, payload } = body;
      const told = await tell(call, params.run_id, { type: "emit_audit", kind, payload: payload as Json });
      if (!told.ok) return told.error;
      return done({ status: "recorded", method: "emit_audit", entry: entryOf(told.value) } as const, 201);
    },
  );
};

/** The entry of what is always audited. */
const entryOf = ({ entry }: LifecycleOutcome): NonNullable<LifecycleOutcome["entry"]> => {
  if (entry === null) throw new Error("a run has audited nothing");
  return entry;
};

const addHandOff = (router: Router): void =>
  router.add(
    {
      method: "post",
      path: "/v1/runs/{run_id}/handoffs",
      operation: "hand_off",
      tag,
      summary: "Hand work on to another pipeline",
      description: "It is open, and the run unsettled, until somebody acknowledges it. Also when the run is over.",
      access: "runs:write",
      body: { name: "HandOff", schema: handOffSchema },
      reply: { status: 201, description: "The envelope", name: "HandoffReceipt", schema: handoffReceiptSchema },
      problems: ["run_not_found", "invalid_transition", "idempotency_key_reused", "payload_too_large"],
    },
    async ({ params, body, call }) => {
      const { target, payload } = body;
      const told = await tell(call, params.run_id, { type: "hand_off", target, payload: payload as Json });
      if (!told.ok) return told.error;
      const { envelope } = told.value;
      if (envelope === null) throw new Error("a run has handed nothing on");
      return done({ status: "queued", method: "handoff_to", envelope } as const, 201);
    },
  );

const addAcknowledge = (router: Router): void =>
  router.add(
    {
      method: "post",
      path: "/v1/runs/{run_id}/handoffs/{envelope_id}/acknowledge",
      operation: "acknowledge_handoff",
      tag,
      summary: "Acknowledge a handoff",
      description: "It is taken off the list and the decision audited. Suspended workers of the run come first.",
      access: "runs:write",
      body: { name: "AcknowledgeHandoff", schema: acknowledgeHandoffSchema, optional: true },
      reply: {
        status: 200,
        description: "The envelope",
        name: "HandoffAcknowledged",
        schema: handoffAcknowledgedSchema,
      },
      problems: [
        "run_not_found",
        "handoff_not_found",
        "invalid_transition",
        "idempotency_key_reused",
        "payload_too_large",
      ],
    },
    async ({ params, body, call }) => {
      const { run_id: runId, envelope_id } = params;
      const suspended = await suspendedOf(call, runId);
      if (!suspended.ok) return suspended.error;
      const outOfOrder = handoffOutOfOrder(suspended.value.state);
      if (outOfOrder !== null) return problem("invalid_transition", outOfOrder);
      const request = { type: "acknowledge_handoff", envelope_id, decision: body.decision as Json } as const;
      const told = await tell(call, runId, request);
      if (!told.ok) return told.error;
      const { envelope, entry } = told.value;
      if (envelope === null || entry === null)
        return problem("handoff_not_found", `run ${runId} has no open handoff ${envelope_id}`);
      return done({ status: "acknowledged", method: "acknowledge_handoff", envelope, entry } as const);
    },
  );

const addDisposition = (router: Router): void =>
  router.add(
    {
      method: "post",
      path: "/v1/runs/{run_id}/disposition",
      operation: "set_run_disposition",
      tag,
      summary: "Say what is to become of a run that has ended",
      description: "The newest one counts; each is audited.",
      access: "runs:write",
      body: { name: "Disposition", schema: dispositionSchema, optional: true },
      reply: { status: 200, description: "The receipt", name: "DispositionReceipt", schema: dispositionReceiptSchema },
      problems: ["run_not_found", "idempotency_key_reused", "payload_too_large"],
    },
    async ({ params, body, call }) => {
      const disposition = body.disposition as Json;
      const told = await tell(call, params.run_id, { type: "set_disposition", disposition });
      if (!told.ok) return told.error;
      return done({ status: "finalized", method: "finalize", entry: entryOf(told.value) } as const);
    },
  );

const addOnFinish = (router: Router): void =>
  router.add(
    {
      method: "put",
      path: "/v1/runs/{run_id}/on_finish",
      operation: "set_run_on_finish",
      tag,
      summary: "Say what is done when a run ends",
      description:
        "When nothing is ready any more, and before the run ends, the handler is called once; what it returns becomes `metadata.return_value`. The last registration counts.",
      access: "runs:write",
      body: { name: "OnFinish", schema: onFinishSchema },
      reply: { status: 200, description: "The registration", name: "OnFinishReceipt", schema: onFinishReceiptSchema },
      problems: ["run_not_found", "invalid_transition", "payload_too_large"],
    },
    async ({ params, body, call }) => {
      const unknown = unknownHandler(body.handler);
      if (unknown !== null) return invalid([{ path: "handler", message: unknown }], unknown);
      const on_finish = { handler: body.handler, input: body.input as Json };
      const told = await tell(call, params.run_id, { type: "set_on_finish", on_finish });
      return told.ok ? done({ status: "registered", on_finish } as const) : told.error;
    },
  );

/** What a run leaves behind: its audit, its handoffs, its disposition (spec/workers 21). */
export const addFinishRoutes = (router: Router): void => {
  addUnsettled(router);
  addAudit(router);
  addHandOff(router);
  addAcknowledge(router);
  addDisposition(router);
  addOnFinish(router);
};
