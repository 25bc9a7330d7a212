import type { MailboxReply, MailboxRequest } from "../../../src/engine/mailbox/command.ts";
import { mailboxName, mailboxTarget, type MailboxTarget, updateRequestId } from "../../../src/engine/mailbox/target.ts";
import { type MailboxStatus, queryOf, responseOf, statusOf } from "../../../src/engine/mailbox/view.ts";
import { awaitResponse, updateTimeoutText } from "../../../src/http/update-wait.ts";
import { isObject, type Json, type JsonObject } from "../../../src/lib/json.ts";
import type { MailboxObject } from "../mailbox-object.ts";
import { OperationFailure, type Operation, type Operations, textArg, valueOf } from "../operation.ts";
import type { System } from "../system.ts";

const DEFAULT_TIMEOUT_MS = 30_000;

interface Addressed {
  readonly target: MailboxTarget;
  readonly object: MailboxObject;
}

const addressed = (system: System, args: JsonObject, builtin: string): Addressed => {
  const target = valueOf(mailboxTarget(args["target"], builtin));
  return { target, object: system.mailbox(target.workflow_id) };
};

const shown = ({ base_dir }: MailboxTarget, status: MailboxStatus): MailboxStatus => ({ ...status, base_dir });

const answerOf = (target: MailboxTarget, reply: MailboxReply): Json => {
  if (reply.type === "status") return shown(target, reply.status) as unknown as Json;
  const { workflow_id, message } = reply;
  if (reply.type === "received") return message === null ? null : ({ workflow_id, ...message } as unknown as Json);
  return { workflow_id, message, status: shown(target, reply.status) } as unknown as Json;
};

/** An operation that is one command of the mailbox. */
const command =
  (builtin: string, request: (args: JsonObject) => MailboxRequest): Operation =>
  (system, args) => {
    const { target, object } = addressed(system, args, builtin);
    return answerOf(target, object.request(request(args)));
  };

const nameOf = (args: JsonObject, builtin: string): string => valueOf(mailboxName(args["name"], builtin));

/** The update that an earlier step has sent, with the moment its caller gives up. */
const startUpdate: Operation = (system, args) => {
  const { target, object } = addressed(system, args, "workflow.update");
  const name = nameOf(args, "workflow.update");
  const reply = object.request({ type: "update", name, payload: args["payload"] ?? null });
  if (reply.type !== "enqueued") throw new Error(`an update was answered with ${reply.type}`);
  const timeout = Math.max(1, Number(args["timeout_ms"] ?? DEFAULT_TIMEOUT_MS));
  const { request_id } = reply.message;
  return { workflow_id: target.workflow_id, name, request_id, until: system.clock.now + timeout };
};

const waitForUpdate: Operation = async (system, args) => {
  const update = isObject(args["update"]) ? args["update"] : {};
  const [workflowId, name, requestId] = ["workflow_id", "name", "request_id"].map((key) => textArg(update, key));
  const { clock } = system;
  const until = Number(update["until"]);
  const response = await awaitResponse({
    read: async () => {
      const found = responseOf(system.mailbox(workflowId ?? "").state, requestId ?? "");
      // Its caller had given up when a late response came.
      return found === null || Date.parse(found.responded_at) > until ? null : found;
    },
    until,
    now: () => clock.now,
    sleep: async (ms) => clock.moveTo(clock.now + ms),
  });
  if (response === null) throw new OperationFailure(updateTimeoutText(name ?? "", workflowId ?? ""));
  return response.value;
};

/** The mailbox of a workflow (spec/workflow 13). */
export const mailboxOperations: Operations = {
  mailbox_signal: command("workflow.signal", (args) => ({
    type: "signal",
    name: nameOf(args, "workflow.signal"),
    payload: args["payload"] ?? null,
  })),
  mailbox_receive: command("workflow.receive", () => ({ type: "receive" })),
  mailbox_publish_query: command("workflow.publish_query", (args) => ({
    type: "publish_query",
    name: nameOf(args, "workflow.publish_query"),
    value: args["value"] ?? null,
  })),
  mailbox_query: (system, args) => {
    const { object } = addressed(system, args, "workflow.query");
    return queryOf(object.state, nameOf(args, "workflow.query"))?.value ?? null;
  },
  mailbox_update_start: startUpdate,
  mailbox_update_wait: waitForUpdate,
  mailbox_respond_update: command("workflow.respond_update", (args) => ({
    type: "respond_update",
    request_id: valueOf(updateRequestId(args["request_id"], "workflow.respond_update")),
    value: args["value"] ?? null,
    ...(typeof args["name"] === "string" ? { name: args["name"] } : {}),
  })),
  mailbox_pause: command("workflow.pause", () => ({ type: "pause" })),
  mailbox_resume: command("workflow.resume", () => ({ type: "resume" })),
  mailbox_continue_as_new: command("workflow.continue_as_new", () => ({ type: "continue_as_new" })),
  mailbox_status: (system, args) => {
    const { target, object } = addressed(system, args, "workflow.status");
    return shown(target, statusOf(object.state, target.workflow_id));
  },
};
