import type { HandlerReport } from "../engine/trigger/event.ts";
import type { ResumeCall } from "../engine/trigger/handler.ts";
import { blankAsNull } from "../engine/worker/awakening.ts";
import type { Json } from "../lib/json.ts";
import { digestOf } from "../lib/digest.ts";
import type { Bindings } from "../http/call.ts";
import { workerObject } from "../http/worker-object.ts";
import { removeTrigger } from "./listen.ts";
import { textOf } from "./report.ts";

/** What an event gives the worker as its task: what the sender sent, else all that is known of it (spec/workers 18.3). */
export const resumeInput = ({ event }: Pick<ResumeCall, "event">): Json => {
  const { provider_payload: payload } = event;
  return blankAsNull(payload["raw"] ?? null) ?? payload;
};

const failed = (code: string, detail: string, retryable: boolean): HandlerReport => ({
  type: "failed",
  class: "infrastructure",
  code,
  detail,
  retryable,
});

const resumed = async (env: Bindings, tenant: string, call: ResumeCall): Promise<HandlerReport> => {
  const { worker_id, suspended_at, idempotency_key: key, trigger_id } = call;
  const { raw_body: _bytes, ...trigger_event } = call.event;
  const answer = await workerObject(env, tenant, worker_id).awaken(
    { suspended_at, input: resumeInput(call), trigger_event: trigger_event as unknown as Json },
    { key, request_digest: digestOf(["auto_resume", key]) },
  );
  switch (answer.type) {
    case "resumed":
      return { type: "succeeded", result: { handler_kind: "auto_resume", worker_id, status: "resumed" } };
    case "overtaken":
      // Whoever was faster has ordered it away; should that have been lost, nothing listens in vain.
      await removeTrigger(env, tenant, trigger_id);
      return { type: "skipped", code: "concurrent_resume_conflict", detail: answer.detail };
    case "busy":
      return failed("worker_not_at_rest", answer.detail, true);
    case "refused":
      return failed(answer.code, answer.detail, answer.retryable);
  }
};

/**
 * Resumes the worker that a trigger waits for, with the event as its task (spec/workers 18.3). Exactly one event does: a later one
 * finds somebody faster. A worker that has not come to rest is tried again.
 */
export const resumeWorker = async (env: Bindings, tenant: string, call: ResumeCall): Promise<HandlerReport> => {
  try {
    return await resumed(env, tenant, call);
  } catch (error) {
    return failed("unavailable", `the worker could not be reached: ${textOf(error)}`, true);
  }
};
