import * as z from "zod";
import { anyJson, anyObject, pageQuery, time } from "./api.ts";

/** Which tool calls of a run to list. */
export const toolCallQuery = pageQuery.extend({
  status: z.enum(["all", "waiting"]).default("all").describe("waiting: only calls that somebody has to answer"),
});

/** A tool call of an agent stage. */
export const toolCallSchema = z
  .object({
    call_id: z.string(),
    tool_name: z.string(),
    arguments: anyObject,
    status: z.enum(["ok", "error", "rejected", "waiting"]),
    stage_id: z.string(),
    node_id: z.string(),
    iteration: z.int(),
    reason: z
      .enum(["client_tool", "approval", "worker"])
      .optional()
      .describe(
        "What a waiting call waits for: the client's result, an approval, or the worker that was started for it",
      ),
    request: z.unknown().optional().describe("What is to be approved"),
    result: z.unknown().optional(),
    duration_ms: z.number().optional(),
    idempotency_key: z.string().optional().describe("The same whenever the call is made again"),
    started_at: time.optional(),
    error_category: z.string().optional(),
  })
  .readonly();

const stage_id = z.string().min(1).max(2_000).optional().describe("Where two stages wait for calls of the same id");

/** Body of `POST .../tool_calls/{call_id}/respond`: the client's result, or an approval. */
export const respondToolCallSchema = z
  .object({
    result: anyJson.optional().describe("What the client's tool answered"),
    is_error: z.boolean().optional().describe("The result tells of a failure"),
    approved: z.boolean().optional().describe("Whether a call that waits for an approval may be made"),
    reason: z.string().max(2_000).optional().describe("Told to the model when the call is refused"),
    arguments: anyObject.optional().describe("Replaces the arguments of an approved call; policies judge them again"),
    stage_id,
  })
  .readonly()
  .superRefine((body, check) => {
    if ((body.result === undefined) === (body.approved === undefined))
      check.addIssue({
        code: "custom",
        path: ["result"],
        message: "give `result` for a tool of the client, or `approved` for a call that waits for an approval",
      });
  });

/** Body of `POST .../tool_calls/{call_id}/respond`. */
export type RespondToolCall = z.output<typeof respondToolCallSchema>;
