import type { PartName } from "../../../durable-objects/projections/run-parts.ts";
import { NO_USAGE } from "../../engine/run/state.ts";
import {
  partPageSchema,
  partQuery,
  recordQuery,
  runViewSchema,
  transcriptSchema,
  usageSchema,
} from "../../schema/api-run.ts";
import type { RunRecord } from "../../schema/record.ts";
import { BODIES_BYTES, shown, VIEW_BYTES } from "../bodies.ts";
import type { Call } from "../call.ts";
import { CURSOR_ISSUE, decodeCursor, encodeCursor } from "../page.ts";
import { invalid, problem } from "../problem.ts";
import { done, type Router } from "../router.ts";
import { runNotFound, runObject } from "../run-object.ts";

const RUN_PARTS: readonly PartName[] = ["stages", "artifacts", "transitions", "checkpoints", "worker_updates"];

const access = "runs:read";
const tag = "Runs";
const problems = ["run_not_found"] as const;

const addRecord = (router: Router): void =>
  router.add(
    {
      method: "get",
      path: "/v1/runs/{run_id}",
      operation: "get_run",
      tag,
      summary: "Get the record of a run",
      description: "With `checkpoint` the record as it was at that checkpoint.",
      access,
      query: recordQuery,
      reply: { status: 200, description: "The record", name: "Run", schema: runViewSchema },
      problems: ["run_not_found", "checkpoint_not_found"],
    },
    async ({ params, query, call }) => {
      const { checkpoint } = query;
      const request = checkpoint === undefined ? {} : { checkpoint_id: checkpoint };
      const view = await runObject(call.env, call.tenant, params.run_id).record(request);
      if (view === null) return runNotFound(params.run_id);
      const { record, ...rest } = view;
      if (record !== null) return done(await shown(call, { ...record, ...rest }));
      return problem("checkpoint_not_found", `run ${params.run_id} has no checkpoint ${checkpoint ?? ""}`);
    },
  );

const addParts = (router: Router): void => {
  for (const part of RUN_PARTS) {
    router.add(
      {
        method: "get",
        path: `/v1/runs/{run_id}/${part}`,
        operation: `list_run_${part}`,
        tag,
        summary: `List the ${part.replace("_", " ")} of a run, oldest first`,
        access,
        query: partQuery,
        reply: { status: 200, description: "A page", name: "RunPartPage", schema: partPageSchema },
        problems,
      },
      async ({ params, query, call }) => {
        const position = query.cursor === undefined ? ["0"] : decodeCursor(query.cursor, 1);
        if (position === null || !/^\d{1,9}$/.test(position[0] ?? "")) return invalid([CURSOR_ISSUE]);
        const request = { limit: query.limit, cursor: Number(position[0]) };
        const page = await runObject(call.env, call.tenant, params.run_id).part(part, request);
        if (page === null) return runNotFound(params.run_id);
        const { items, next_cursor: next } = page;
        const filled = await shown(call, items, query.bodies === "true" ? BODIES_BYTES : VIEW_BYTES);
        return done({ items: filled, next_cursor: next === null ? null : encodeCursor([String(next)]) });
      },
    );
  }
};

const recordOf = async (call: Call, runId: string): Promise<RunRecord | null> =>
  (await runObject(call.env, call.tenant, runId).record({}))?.record ?? null;

const addWholeParts = (router: Router): void => {
  router.add(
    {
      method: "get",
      path: "/v1/runs/{run_id}/transcript",
      operation: "get_run_transcript",
      tag,
      summary: "Get the transcript of a run",
      access,
      reply: { status: 200, description: "The transcript", name: "Transcript", schema: transcriptSchema },
      problems,
    },
    async ({ params, call }) => {
      const record = await recordOf(call, params.run_id);
      return record === null
        ? runNotFound(params.run_id)
        : done({ transcript: await shown(call, record.transcript, BODIES_BYTES) });
    },
  );
  router.add(
    {
      method: "get",
      path: "/v1/runs/{run_id}/usage",
      operation: "get_run_usage",
      tag,
      summary: "Get the tokens, calls and money a run has used",
      access,
      reply: { status: 200, description: "The usage", name: "Usage", schema: usageSchema },
      problems,
    },
    async ({ params, call }) => {
      const record = await recordOf(call, params.run_id);
      return record === null ? runNotFound(params.run_id) : done(record.usage ?? NO_USAGE);
    },
  );
};

/** A run's record and its parts, read from the run itself. */
export const addRunReadRoutes = (router: Router): void => {
  addRecord(router);
  addParts(router);
  addWholeParts(router);
};
