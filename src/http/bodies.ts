import { type BodyMarker, MAX_BODY_BYTES } from "../lib/body-marker.ts";
import { byteLength, isObject, type Json, type JsonObject } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { inlineBytes } from "../lib/texts.ts";
import { fillBodies, spillBodies, type TooLong } from "../driver/bodies.ts";
import { r2Blobs } from "../driver/r2-blobs.ts";
import { fillPlan, storeResult } from "../driver/with-bodies.ts";
import { decideCondition } from "../engine/node/condition-work.ts";
import type { Blobs } from "../ports/blobs.ts";
import type { StagePlan } from "../schema/plan.ts";
import { tooLarge } from "./body.ts";
import type { Call } from "./call.ts";
import { problem, type Problem } from "./problem.ts";
import { runObject } from "./run-object.ts";

/** Bytes of bodies that a view shows beside its own; the rest of them can be read one by one. */
export const VIEW_BYTES = 1_048_576;

/** The same where bodies were asked for. */
export const BODIES_BYTES = MAX_BODY_BYTES + VIEW_BYTES;

/** The bodies of the caller's tenant. */
export const blobsOf = (call: Call): Blobs => r2Blobs(call.env.BODIES, call.tenant);

const refusal = ({ bytes, max_bytes }: TooLong): Problem =>
  problem("payload_too_large", `a text has ${bytes} bytes, more than the limit of ${max_bytes}`, { max_bytes });

/** A value as a run's object takes it: its long texts are kept as bodies first. */
export const stored = async <Value>(call: Call, value: Value): Promise<Result<Value, Problem>> => {
  const spilled = await spillBodies(value, blobsOf(call));
  return spilled.ok ? spilled : err(refusal(spilled.error));
};

/** A result that a caller hands in, as the run's object takes it. */
export const storedResult = async (
  call: Call,
  attempt: { readonly run_id: string; readonly attempt_token: string },
  result: JsonObject,
): Promise<Result<JsonObject, Problem>> => {
  const run = runObject(call.env, call.tenant, attempt.run_id);
  const kept = await storeResult(result, blobsOf(call), () => run.checks(attempt.attempt_token));
  return kept.ok ? ok(kept.value) : err(refusal(kept.error));
};

/** A value as callers see it: with as many of its bodies in place as the budget holds. */
export const shown = async <Value>(call: Call, value: Value, maxBytes = VIEW_BYTES): Promise<Value> =>
  (await fillBodies(value, blobsOf(call), { max_bytes: maxBytes })).value;

/** A plan as a caller executes it. A condition that only lacked its bodies is decided at once. */
export const shownPlan = async (call: Call, given: StagePlan): Promise<StagePlan> => {
  const { condition, ...plan } = (await fillPlan(given, blobsOf(call))).plan;
  return condition === undefined ? plan : { ...plan, result: decideCondition(condition) };
};

/** A refusal when a document is too large even without the long texts of the field that may have them. */
export const excessBeside = (document: unknown, field: string, limit: number): Problem | null => {
  if (!isObject(document)) return null;
  const { [field]: bodies = null, ...rest } = document;
  const size = byteLength(JSON.stringify(rest)) + inlineBytes(bodies as Json);
  return size > limit ? tooLarge(limit) : null;
};

/** The stored body a text consists of, passed on as it is. */
export const bodyResponse = async (call: Call, marker: BodyMarker): Promise<Response | null> => {
  const body = await blobsOf(call).open(marker);
  if (body === null) return null;
  return new Response(body.stream, {
    headers: { "Content-Type": body.content_type, "Content-Length": String(body.size) },
  });
};
