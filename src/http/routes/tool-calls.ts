import type { ToolAnswer } from "../../schema/agent-step.ts";
import { pageOf } from "../../schema/api.ts";
import { runControlSchema } from "../../schema/api-run.ts";
import {
  type RespondToolCall,
  respondToolCallSchema,
  toolCallQuery,
  toolCallSchema,
} from "../../schema/api-tool-call.ts";
import { keyOf } from "../idempotency.ts";
import { CURSOR_ISSUE, decodeCursor, encodeCursor } from "../page.ts";
import { invalid } from "../problem.ts";
import { done, type Router } from "../router.ts";
import { replyOf, runNotFound, runObject } from "../run-object.ts";

const tag = "Tool calls";
const pageSchema = pageOf(toolCallSchema);

const addList = (router: Router): void =>
  router.add(
    {
      method: "get",
      path: "/v1/runs/{run_id}/tool_calls",
      operation: "list_run_tool_calls",
      tag,
      summary: "List the tool calls of a run",
      description: "Those that were answered, oldest first, then those that wait for a client or a person.",
      access: "runs:read",
      query: toolCallQuery,
      reply: { status: 200, description: "A page", name: "ToolCallPage", schema: pageSchema },
      problems: ["run_not_found"],
    },
    async ({ params, query, call }) => {
      const position = query.cursor === undefined ? ["0"] : decodeCursor(query.cursor, 1);
      if (position === null || !/^\d{1,9}$/.test(position[0] ?? "")) return invalid([CURSOR_ISSUE]);
      const request = { limit: query.limit, cursor: Number(position[0]), pending: query.status === "waiting" };
      const page = await runObject(call.env, call.tenant, params.run_id).toolCalls(request);
      if (page === null) return runNotFound(params.run_id);
      const { items, next_cursor: next } = page;
      return done({ items: items as never, next_cursor: next === null ? null : encodeCursor([String(next)]) });
    },
  );

const answerOf = ({ approved, reason, arguments: changed, result, is_error }: RespondToolCall): ToolAnswer =>
  approved === undefined
    ? { result: result ?? null, ...(is_error === undefined ? {} : { is_error }) }
    : {
        approved,
        ...(reason === undefined ? {} : { reason }),
        ...(changed === undefined ? {} : { arguments: changed }),
      };

const addRespond = (router: Router): void =>
  router.add(
    {
      method: "post",
      path: "/v1/runs/{run_id}/tool_calls/{call_id}/respond",
      operation: "respond_tool_call",
      tag,
      summary: "Answer a tool call that waits",
      description:
        "With `result` for a tool that the client executes, with `approved` for a call that needs an approval. With the last answer the agent goes on.",
      access: "runs:write",
      body: { name: "RespondToolCall", schema: respondToolCallSchema },
      reply: { status: 200, description: "Where the run stands", name: "RunControl", schema: runControlSchema },
      problems: ["run_not_found", "tool_call_not_found", "invalid_transition", "idempotency_key_reused"],
    },
    async ({ params, body, call }) => {
      const { stage_id: stageId } = body;
      const answer = await runObject(call.env, call.tenant, params.run_id).request(
        {
          type: "answer_call",
          call_id: params.call_id,
          answer: answerOf(body),
          ...(stageId === undefined ? {} : { stage_id: stageId }),
        },
        keyOf(call, `respond ${params.call_id}`, body),
      );
      const control = replyOf(answer, "control");
      return control.ok ? done(control.reply.control) : control.problem;
    },
  );

/** Tool calls of agent stages: what was called, and answers to what waits. */
export const addToolCallRoutes = (router: Router): void => {
  addList(router);
  addRespond(router);
};
