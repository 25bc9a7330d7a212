import type * as z from "zod";
import type { MailboxReply, MailboxRequest } from "../../engine/mailbox/command.ts";
import type { MailboxStatus, ShownResponse } from "../../engine/mailbox/view.ts";
import {
  enqueuedSchema,
  mailboxStatusSchema,
  publishQuerySchema,
  queryViewSchema,
  receivedSchema,
  respondSchema,
  signalSchema,
  updateSchema,
  updateViewSchema,
} from "../../schema/api-mailbox.ts";
import type { Call } from "../call.ts";
import { keyOf } from "../idempotency.ts";
import { type MailboxObject, mailboxObject, mailboxReply } from "../mailbox-object.ts";
import { problem, type Problem } from "../problem.ts";
import { done, type Outcome, type Router } from "../router.ts";
import { awaitResponse, updateTimeoutText } from "../update-wait.ts";

type UpdateView = z.output<typeof updateViewSchema>;

const shared = { tag: "Mailboxes", access: "runs:write" } as const;
const reads = { tag: "Mailboxes", access: "runs:read" } as const;
const problems = ["idempotency_key_reused"] as const;
const filling = ["idempotency_key_reused", "payload_too_large", "rate_limited"] as const;

const mailboxOf = (call: Call, workflowId: string): MailboxObject =>
  mailboxObject(call.env, { tenant: call.tenant, workflow_id: workflowId });

/** Gives a command under the caller's idempotency key. */
const tell = async <Type extends MailboxReply["type"]>(
  call: Call,
  workflowId: string,
  { request, type }: { readonly request: MailboxRequest; readonly type: Type },
): Promise<ReturnType<typeof mailboxReply<Type>>> => {
  const address = { tenant: call.tenant, workflow_id: workflowId };
  const key = keyOf(call, request.type, request);
  return mailboxReply(await mailboxOf(call, workflowId).request(address, request, key), type);
};

const tellForStatus = async (
  call: Call,
  workflowId: string,
  request: MailboxRequest,
): Promise<Outcome<MailboxStatus>> => {
  const answer = await tell(call, workflowId, { request, type: "status" });
  return answer.ok ? done(answer.reply.status) : answer.problem;
};

const statusReply = { status: 200, description: "Where it stands", name: "MailboxStatus", schema: mailboxStatusSchema };
const updateReply = { status: 200, description: "The update", name: "UpdateView", schema: updateViewSchema };

const addMessages = (router: Router): void => {
  router.add(
    {
      ...shared,
      method: "post",
      path: "/v1/mailboxes/{workflow_id}/signal",
      operation: "signal_workflow",
      summary: "Put a signal into a mailbox",
      description: "A stage that waits for it takes it, else it stays until it is received.",
      body: { name: "Signal", schema: signalSchema },
      reply: { status: 200, description: "The message", name: "EnqueuedMessage", schema: enqueuedSchema },
      problems: filling,
    },
    async ({ params, body, call }) => {
      const request = { type: "signal", name: body.name, payload: body.payload ?? null } as const;
      const answer = await tell(call, params.workflow_id, { request, type: "enqueued" });
      if (!answer.ok) return answer.problem;
      const { workflow_id, message, status } = answer.reply;
      return done({ workflow_id, message, status });
    },
  );
  router.add(
    {
      ...shared,
      method: "post",
      path: "/v1/mailboxes/{workflow_id}/receive",
      operation: "receive_message",
      summary: "Take the oldest message out of a mailbox",
      description: "At most once: with an `Idempotency-Key` a repetition gets the same message.",
      reply: { status: 200, description: "The message, or null", name: "ReceivedMessage", schema: receivedSchema },
      problems,
    },
    async ({ params, call }) => {
      const answer = await tell(call, params.workflow_id, { request: { type: "receive" }, type: "received" });
      if (!answer.ok) return answer.problem;
      const { workflow_id, message } = answer.reply;
      return done({ workflow_id, message });
    },
  );
};

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const updateView = (workflowId: string, requestId: string, response: ShownResponse | null): UpdateView => ({
  workflow_id: workflowId,
  request_id: requestId,
  status: response === null ? "pending" : "answered",
  value: response?.value ?? null,
  responded_at: response?.responded_at ?? null,
});

const timedOut = (workflowId: string, name: string, requestId: string): Problem =>
  problem("update_timed_out", updateTimeoutText(name, workflowId), { workflow_id: workflowId, request_id: requestId });

const addUpdates = (router: Router): void => {
  router.add(
    {
      ...shared,
      method: "post",
      path: "/v1/mailboxes/{workflow_id}/update",
      operation: "update_workflow",
      summary: "Put an update into a mailbox and wait for the response",
      description:
        "202 without waiting. After `timeout_ms` the update stays queued: repeat the request with the same `Idempotency-Key` to wait on, or read the response later.",
      body: { name: "Update", schema: updateSchema },
      reply: updateReply,
      problems: [...filling, "update_timed_out"],
    },
    async ({ params, body, call }) => {
      const { workflow_id: workflowId } = params;
      const { name, payload = null, timeout_ms, wait } = body;
      const answer = await tell(call, workflowId, { request: { type: "update", name, payload }, type: "enqueued" });
      if (!answer.ok) return answer.problem;
      const requestId = answer.reply.message.request_id ?? "";
      if (!wait || timeout_ms === 0) return done(updateView(workflowId, requestId, null), 202);
      const response = await awaitResponse({
        read: () => mailboxOf(call, workflowId).response(requestId),
        until: Date.now() + timeout_ms,
        now: () => Date.now(),
        sleep,
      });
      if (response === null) return timedOut(workflowId, name, requestId);
      return done(updateView(workflowId, requestId, response));
    },
  );
};

const addResponses = (router: Router): void => {
  router.add(
    {
      ...reads,
      method: "get",
      path: "/v1/mailboxes/{workflow_id}/updates/{request_id}",
      operation: "get_update",
      summary: "Read the response to an update",
      description: "An update nobody has answered, or ever sent, is pending.",
      reply: updateReply,
    },
    async ({ params, call }) => {
      const { workflow_id, request_id } = params;
      return done(updateView(workflow_id, request_id, await mailboxOf(call, workflow_id).response(request_id)));
    },
  );
  router.add(
    {
      ...shared,
      method: "post",
      path: "/v1/mailboxes/{workflow_id}/respond",
      operation: "respond_update",
      summary: "Answer an update",
      description: "The last answer counts. Whether the update was ever sent is not checked.",
      body: { name: "UpdateResponse", schema: respondSchema },
      reply: statusReply,
      problems: filling,
    },
    ({ params, body, call }) => {
      const { request_id, value = null, name } = body;
      return tellForStatus(call, params.workflow_id, {
        type: "respond_update",
        request_id,
        value,
        ...(name === undefined ? {} : { name }),
      });
    },
  );
};

const addControl = (router: Router): void => {
  const texts = {
    pause: ["Pause a mailbox and its runs", "Runs that the list does not show yet are told some seconds later."],
    resume: ["Resume a mailbox and its runs", "Only runs that were paused through the mailbox go on."],
    continue_as_new: ["Begin a new generation", "Responses are dropped; messages, queries and the pause stay."],
  } as const;
  for (const verb of ["pause", "resume", "continue_as_new"] as const) {
    router.add(
      {
        ...shared,
        method: "post",
        path: `/v1/mailboxes/{workflow_id}/${verb}`,
        operation: verb === "continue_as_new" ? verb : `${verb}_mailbox`,
        summary: texts[verb][0],
        description: texts[verb][1],
        reply: statusReply,
        problems: [...problems, "rate_limited"],
      },
      ({ params, call }) => tellForStatus(call, params.workflow_id, { type: verb }),
    );
  }
};

const addReads = (router: Router): void => {
  router.add(
    {
      ...reads,
      method: "get",
      path: "/v1/mailboxes/{workflow_id}/status",
      operation: "get_mailbox_status",
      summary: "Where a mailbox stands",
      description: "A mailbox nobody has written to stands at the beginning.",
      reply: statusReply,
    },
    async ({ params, call }) => done(await mailboxOf(call, params.workflow_id).status(params.workflow_id)),
  );
  const reply = { status: 200, description: "The value", name: "QueryView", schema: queryViewSchema };
  router.add(
    {
      ...reads,
      method: "get",
      path: "/v1/mailboxes/{workflow_id}/queries/{name}",
      operation: "get_query",
      summary: "Read the last value published under a name",
      reply,
    },
    async ({ params, call }) => {
      const { workflow_id, name } = params;
      const found = await mailboxOf(call, workflow_id).query(name);
      return done({ workflow_id, name, value: found?.value ?? null, published_at: found?.published_at ?? null });
    },
  );
  router.add(
    {
      ...shared,
      method: "put",
      path: "/v1/mailboxes/{workflow_id}/queries/{name}",
      operation: "publish_query",
      summary: "Publish a value under a name",
      body: { name: "PublishedQuery", schema: publishQuerySchema },
      reply: statusReply,
      problems: filling,
    },
    ({ params, body, call }) =>
      tellForStatus(call, params.workflow_id, { type: "publish_query", name: params.name, value: body.value ?? null }),
  );
};

/** Mailboxes: messages to a workflow and values from it (spec/workflow 13). */
export const addMailboxRoutes = (router: Router): void => {
  addMessages(router);
  addUpdates(router);
  addResponses(router);
  addControl(router);
  addReads(router);
};
