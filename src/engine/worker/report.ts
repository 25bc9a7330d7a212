import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { ToolAnswer } from "../../schema/agent-step.ts";
import type { ArtifactContext } from "../artifact/normalize.ts";
import { delegatedArtifacts, delegatedResult } from "./delegated.ts";
import type { ParentStage, Worker } from "./state.ts";
import { summaryOf } from "./summary.ts";

/** What the stage that waits for a worker is completed with: how it ended, what it left and what it cost (spec/workers 14.3 to 14.7). */
export const reportOf = (worker: Worker, { node_id }: ParentStage, context: ArtifactContext): JsonObject => {
  const { status, latest_error: error, config, transcript } = worker;
  const usage = worker.usage === undefined ? {} : { usage: worker.usage as unknown as JsonObject };
  if (status !== "completed" && status !== "stopped")
    return {
      __workflow_stage_error: true,
      status: "failed",
      text: "",
      visible_text: "",
      error: error ?? `the worker ended ${status}`,
      ...(status === "cancelled" ? { error_category: "cancelled" } : {}),
      worker: summaryOf(worker),
      ...usage,
    };
  const input_ids = config.mode === "sub_agent" ? [] : config.artifacts.map(({ id }) => id);
  return {
    ...delegatedResult(worker),
    status: "completed",
    artifacts: delegatedArtifacts(worker, { node_id, input_ids }, context) as unknown as Json,
    transcript,
    ...usage,
  };
};

/** What the agent that called a sub-agent is answered: its envelope without what only the worker's record needs (spec/workers 15.3). */
export const callAnswerOf = (worker: Worker): ToolAnswer => {
  const { id, name, status, latest_error: error, latest_payload: payload } = worker;
  const by = { id, name, status };
  if ((status === "completed" || status === "stopped") && isObject(payload)) {
    const { transcript: _transcript, ...envelope } = payload;
    return { result: { ...envelope, worker: by } };
  }
  const category = status === "cancelled" ? "cancelled" : "runtime";
  const message = error ?? `the worker ended ${status}`;
  return { result: { ok: false, summary: "", error: { category, message }, worker: by }, is_error: true };
};
