import { rfc3339 } from "../../lib/time.ts";
import type { Context } from "../machine.ts";
import { workerAudit } from "./audit.ts";
import type { SpawnWorker } from "./command.ts";
import { requestOf } from "./request.ts";
import { withSessionIds } from "./session-ids.ts";
import { snapshotPath } from "./snapshot-path.ts";
import type { Worker } from "./state.ts";

/** A worker as its spawn makes it: running, its first cycle not yet begun (spec/workers 1.1, 2). */
export const newWorker = (spawn: SpawnWorker, context: Context): Worker => {
  const { worker_id: id, mode, task } = spawn;
  const at = rfc3339(context.now);
  const config = withSessionIds(spawn.config, id);
  return {
    tenant: spawn.tenant,
    id,
    name: spawn.name,
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
    parent_worker_id: spawn.parent_worker_id,
    parent_stage_id: spawn.parent_stage_id,
    child_run_id: null,
    child_run_path: null,
    carry_policy: spawn.carry_policy,
    execution: spawn.execution,
    snapshot_path: snapshotPath(id),
    audit: workerAudit(spawn.audit, { id, mode }, context),
    suspension: null,
    cycle: 1,
    run: null,
    parent: spawn.parent,
    resume_at_ms: null,
    children: [],
  };
};
