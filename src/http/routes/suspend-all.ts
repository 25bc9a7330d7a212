import { inLanes } from "../../lib/in-lanes.ts";
import { byCodePoint } from "../../lib/json.ts";
import { suspendAllSchema, suspendedAllSchema } from "../../schema/api-suspend-all.ts";
import type { Call } from "../call.ts";
import { Fault } from "../fault.ts";
import { done, type Router } from "../router.ts";
import { workerObject } from "../worker-object.ts";
import { openWorkers } from "../worker-rows.ts";

const PAGE = 100;

/** Workers that are told at the same time. */
const LANES = 6;

type Outcome = "suspended" | "already_suspended" | "not_running" | "unknown";

const suspend = async (
  call: Call,
  worker_id: string,
  reason: string,
): Promise<{ worker_id: string; outcome: Outcome }> => {
  const answer = await workerObject(call.env, call.tenant, worker_id).request({
    type: "suspend",
    reason,
    initiator: "triggered",
    conditions: null,
    panic: true,
  });
  if (!answer.ok && answer.rejection.code === "unavailable") throw new Fault(answer.rejection.detail, null);
  return { worker_id, outcome: answer.ok ? (answer.reply.panic ?? "not_running") : "unknown" };
};

/** The broadcast that suspends every worker at once (spec/workers 17.3). */
export const addSuspendAllRoute = (router: Router): void =>
  router.add(
    {
      method: "post",
      path: "/v1/workers/suspend_all",
      operation: "suspend_all_workers",
      tag: "Workers",
      access: "workers",
      summary: "Suspend all workers, or some",
      description:
        "Each that runs is suspended without conditions; the reason of one that is suspended already stays. Without `worker_ids` it goes through the list of workers, which may lag a second: ask again for those that are started meanwhile.",
      body: { name: "SuspendAll", schema: suspendAllSchema, optional: true },
      reply: {
        status: 200,
        description: "What became of each, by id",
        name: "SuspendedAll",
        schema: suspendedAllSchema,
      },
      problems: ["unavailable"],
    },
    async ({ body, call }) => {
      const { reason, worker_ids: given, after } = body;
      const listed = given ?? (await openWorkers(call.env.DB, call.tenant, { after, limit: PAGE }));
      const ids = [...new Set(listed)].toSorted(byCodePoint);
      const items = await inLanes(ids, LANES, (id) => suspend(call, id, reason));
      const isWhole = given !== undefined || listed.length < PAGE;
      return done({ items, next: isWhole ? null : (ids.at(-1) ?? null) });
    },
  );
