import { isObject } from "../../lib/json.ts";
import type { WorkerCommand } from "./command.ts";
import type { Draft, WorkerDecision } from "./draft.ts";
import { stopPayload } from "./stop-handoff.ts";

type Stop = Extract<WorkerCommand, { readonly type: "stop" }>;

const CLOSED = "worker cancelled";

/** What has to be ended with a worker: its run, the trigger that would wake it, and its children but those ended already. */
const endAll = (draft: Draft, reason: string, ended: ReadonlySet<string>): void => {
  draft.unlisten();
  draft.cancelRun(reason);
  for (const worker_id of draft.worker.children)
    if (!ended.has(worker_id)) draft.effects.push({ type: "close_child", worker_id });
};

/** Ends a worker for good, whatever it is at; it keeps what it has (spec/workers 8.2, 8.3). */
export const decideClose = (draft: Draft): WorkerDecision => {
  if (draft.worker.status === "cancelled") return draft.decided();
  endAll(draft, CLOSED, new Set());
  draft.emit({ type: "worker_closed" });
  return draft.decided();
};

/** A stopped worker, answered with what it left. */
const left = (draft: Draft): WorkerDecision => {
  const decision = draft.decided();
  const { latest_payload: stopped } = draft.worker;
  return decision.ok && isObject(stopped) ? { ...decision, reply: { ...decision.reply, stopped } } : decision;
};

/** Ends a worker; gracefully it leaves a handoff for its parent to take over from (spec/workers 17.8). */
export const decideStop = (draft: Draft, { graceful, reason, children }: Stop): WorkerDecision => {
  if (!graceful) return decideClose(draft);
  const { worker, context } = draft;
  if (worker.status === "stopped") return left(draft);
  const payload = stopPayload(worker, { reason, children }, context);
  const stopped = children.flatMap(({ worker_id: id }) => (typeof id === "string" ? [id] : []));
  endAll(draft, String(payload["reason"]), new Set(stopped));
  draft.emit({ type: "worker_stopped", payload });
  return left(draft);
};
