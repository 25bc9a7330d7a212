import type { IdempotencyKey } from "../../durable-objects/shell/idempotency.ts";
import type { LifecycleOutcome, LifecycleRequest } from "../engine/finish/command.ts";
import { err, ok, type Result } from "../lib/result.ts";
import type { Call } from "./call.ts";
import type { Problem } from "./problem.ts";
import { replyOf, runObject } from "./run-object.ts";

/** Tells a run what to audit, hand on or decide. */
export const tellLifecycle = async (
  call: Pick<Call, "env" | "tenant">,
  runId: string,
  { request, key }: { readonly request: LifecycleRequest; readonly key?: IdempotencyKey | undefined },
): Promise<Result<LifecycleOutcome, Problem>> => {
  const reply = replyOf(await runObject(call.env, call.tenant, runId).request(request, key), "lifecycle");
  return reply.ok ? ok(reply.reply.outcome) : err(reply.problem);
};
