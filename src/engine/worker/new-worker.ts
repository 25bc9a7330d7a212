import { digestOf } from "../../lib/digest.ts";
import type { Json } from "../../lib/json.ts";
import type { Context } from "../machine.ts";
import { workerAudit } from "./audit.ts";
import type { SpawnWorker } from "./command.ts";
import { requestOf } from "./request.ts";
import { withSessionIds } from "./session-ids.ts";
import { snapshotPath } from "./snapshot-path.ts";
import type { Worker } from "./state.ts";
import { newWebhook } from "./webhook.ts";
import { newSuspension, registered } from "./suspend.ts";

/** What tells one request for a worker from another: the same twice is the same worker (I5). */
export const spawnDigest = ({ request_digest, ...command }: SpawnWorker): string =>
  request_digest ?? digestOf(command as unknown as Json);

/** Makes a worker born parked: suspended before its first cycle, with nothing that would have to come to rest (spec/workers 30, 9). */
const parked = (worker: Worker, command: SpawnWorker, { now, nextId }: Context): Worker => {
  const conditions = command.resume_when ?? null;
  if (conditions === null) return worker;
  const { auto_resume_trigger, resume_at_ms } = registered(worker.id, conditions, { since: now, nextId });
  const isOfParent = command.parent !== null || command.parent_worker_id !== null;
  const asked = { reason: "resume_when", initiator: isOfParent ? "parent" : "operator", conditions } as const;
  const suspension = newSuspension(worker, { ...asked, at: worker.created_at });
  return {
    ...worker,
    status: "suspended",
    cycle: 0,
    resume_at_ms,
    suspension: { ...suspension, auto_resume_trigger, quiesced_at: worker.created_at },
  };
};

/** A worker as it is made (spec/workers 2). */
export const newWorker = (command: SpawnWorker, at: string, context: Context): Worker => {
  const { worker_id: id, mode, task } = command;
  const config = withSessionIds(command.config, id);
  const worker: Worker = {
    tenant: command.tenant,
    id,
    name: command.name,
    task,
    status: "running",
    created_at: at,
    started_at: at,
    finished_at: null,
    awaiting_started_at: null,
    mode,
    history: [task],
    config,
    request: requestOf(config, task),
    latest_payload: null,
    latest_error: null,
    transcript: null,
    artifacts: [],
    parent_worker_id: command.parent_worker_id,
    parent_stage_id: command.parent_stage_id,
    child_run_id: null,
    child_run_path: null,
    carry_policy: command.carry_policy,
    execution: command.execution,
    snapshot_path: snapshotPath(id),
    audit: workerAudit(command.audit, { id, mode }, context),
    suspension: null,
    cycle: 1,
    run: null,
    parent: command.parent,
    request_digest: spawnDigest(command),
    resume_at_ms: null,
    children: [],
    ...(command.webhook === undefined ? {} : { webhook: newWebhook(command.webhook) }),
  };
  return parked(worker, command, context);
};
