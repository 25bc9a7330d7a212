import type { WaitingEvent } from "../engine/finish/queued.ts";
import { waitingJob } from "../engine/finish/queued-job.ts";
import type { JsonObject } from "../lib/json.ts";
import { poolQuery } from "../schema/api-pool.ts";
import type { Call } from "./call.ts";
import { PENDING, OPEN } from "./event-status.ts";
import { fromDatabase } from "./fault.ts";
import { poolObject } from "./pool-object.ts";
import { listPools } from "./pool-rows.ts";
import { queueObject } from "./queue-object.ts";
import { runObject } from "./run-object.ts";
import { workerObject } from "./worker-object.ts";
import { type GatheredSnapshot, gatherUnsettled, type UnsettledPorts } from "./unsettled.ts";

/** Longer nobody is waited for who is asked what is unsettled. */
const ASK_MS = 3_000;

/** Events of a workflow's triggers that one snapshot shows at most; the oldest come first. */
const MAX_EVENTS = 200;

interface Row {
  readonly event_id: string;
  readonly trigger_id: string;
  readonly provider: string;
  readonly kind: string;
  readonly received_at: string;
  readonly binding_version: number | null;
}

/** Events that wait in the triggers which start a workflow; the list may lag a little behind its triggers. */
const waitingEvents = async (
  { env, tenant }: Pick<Call, "env" | "tenant">,
  workflowId: string,
): Promise<readonly WaitingEvent[]> => {
  const workflows =
    "SELECT trigger_id FROM triggers WHERE tenant = ? AND json_extract(definition, '$.handler.workflow') = ?";
  const sql =
    "SELECT event_id, trigger_id, provider, kind, received_at, binding_version FROM events INDEXED BY events_open " +
    `WHERE tenant = ? AND ${OPEN} AND ${PENDING} AND trigger_id IN (${workflows}) ORDER BY received_at, event_id LIMIT ?`;
  const statement = env.DB.prepare(sql).bind(tenant, tenant, workflowId, MAX_EVENTS);
  const { results } = await fromDatabase(statement.all<Row>());
  return results.map(({ binding_version: version, received_at, ...event }) => ({
    ...event,
    binding_key: version === null ? null : `${event.trigger_id}@v${version}`,
    queued_at_ms: Date.parse(received_at),
  }));
};

/** The most pools of a run that are asked. */
const MAX_POOLS = 200;

/** Tasks of the pools of a run that are not over, pool by pool (spec/workers 21.4). */
const poolTasks = async (
  { env, tenant }: Pick<Call, "env" | "tenant">,
  runId: string,
): Promise<readonly JsonObject[]> => {
  const query = poolQuery.parse({ scope: "pipeline", scope_id: runId, limit: MAX_POOLS });
  const pools = [...(await listPools(env.DB, tenant, { query, after: null }))].slice(0, MAX_POOLS);
  pools.sort((a, b) => (a.id < b.id ? -1 : 1));
  const tasks = await Promise.all(pools.map((pool) => poolObject(env, tenant, pool).pending()));
  return tasks.flat() as unknown as readonly JsonObject[];
};

/** Who is asked about a run of the tenant. */
const portsOf = (call: Pick<Call, "env" | "tenant">, runId: string): UnsettledPorts => ({
  run: () => runObject(call.env, call.tenant, runId).unsettled(),
  unsettledOfWorker: async (id) => (await workerObject(call.env, call.tenant, id).unsettled()) as JsonObject | null,
  job: async (queue, jobId) => {
    const found = await queueObject(call.env, call.tenant, queue).job(jobId);
    return found === null || found.job.status !== "open" ? null : waitingJob(queue, found, Date.now());
  },
  events: (workflowId) => waitingEvents(call, workflowId),
  poolTasks: (id) => poolTasks(call, id),
});

/** What a run of the tenant has left unsettled now; null for a run that does not exist (spec/workers 21.3, 31). */
export const unsettledOf = (call: Pick<Call, "env" | "tenant">, runId: string): Promise<GatheredSnapshot | null> =>
  gatherUnsettled(portsOf(call, runId), { deadline: scheduler.wait(ASK_MS), now: () => Date.now() });
