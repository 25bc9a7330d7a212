import { diffRuns } from "../../engine/replay/diff.ts";
import { replayFixture } from "../../engine/replay/fixture.ts";
import type { Json } from "../../lib/json.ts";
import { uuidIds } from "../../ports/ids.ts";
import {
  evalReportSchema,
  evalRequestSchema,
  runDiffSchema,
  runTreeSchema,
  treeQuery,
} from "../../schema/api-replay.ts";
import { replayFixtureSchema } from "../../schema/replay.ts";
import { evaluate } from "../evals.ts";
import { done, type Router } from "../router.ts";
import { runNotFound } from "../run-object.ts";
import { readRunTree } from "../run-tree.ts";
import { wholeRecord } from "../whole-record.ts";

const access = "runs:read";
const tag = "Compare";

const addDiff = (router: Router): void =>
  router.add(
    {
      method: "get",
      path: "/v1/runs/{run_id}/diff/{other_run_id}",
      operation: "diff_runs",
      tag,
      summary: "Compare two runs",
      description:
        "Structure, inputs, outputs, tool calls and usage of the second run against the first, stage by stage; `first_divergence` is where they part. Ids and times are no differences.",
      access,
      reply: { status: 200, description: "The differences", name: "RunDiff", schema: runDiffSchema },
      problems: ["run_not_found", "payload_too_large"],
    },
    async ({ params, call }) => {
      const left = await wholeRecord(call, params.run_id);
      if (!left.ok) return left.error;
      const right = await wholeRecord(call, params.other_run_id);
      return right.ok ? done(diffRuns(left.value, right.value)) : right.error;
    },
  );

const addFixture = (router: Router): void =>
  router.add(
    {
      method: "get",
      path: "/v1/runs/{run_id}/fixture",
      operation: "get_run_fixture",
      tag,
      summary: "Get the fixture a run keeps to",
      description: "Its status and one assertion for each stage; hand it to `POST /v1/evals` with another run.",
      access,
      reply: { status: 200, description: "The fixture", name: "ReplayFixture", schema: replayFixtureSchema },
      problems: ["run_not_found", "payload_too_large"],
    },
    async ({ params, call }) => {
      const run = await wholeRecord(call, params.run_id);
      if (!run.ok) return run.error;
      return done(run.value.replay_fixture ?? replayFixture(run.value, { now: Date.now(), nextId: uuidIds }));
    },
  );

const addEvals = (router: Router): void =>
  router.add(
    {
      method: "post",
      path: "/v1/evals",
      operation: "evaluate_runs",
      tag,
      summary: "Hold runs against fixtures, baselines and rubrics",
      description:
        "`cases` for a suite, or `pack` for an eval pack whose cases name runs by their id in `run`. Rubrics that need a model as judge are reported and not run. Nothing is stored.",
      access,
      body: { name: "Evaluation", schema: evalRequestSchema },
      reply: { status: 200, description: "The verdict", name: "EvalReport", schema: evalReportSchema },
      problems: ["run_not_found"],
    },
    async ({ body, call }) => {
      const report = await evaluate(call, body);
      return report.ok ? done(report.value) : report.error;
    },
  );

const addTree = (router: Router): void =>
  router.add(
    {
      method: "get",
      path: "/v1/runs/{run_id}/tree",
      operation: "get_run_tree",
      tag: "Runs",
      summary: "Get a run with everything it delegated",
      access,
      query: treeQuery,
      reply: { status: 200, description: "The tree", name: "RunTree", schema: runTreeSchema },
      problems: ["run_not_found"],
    },
    async ({ params, query, call }) => {
      const tree = await readRunTree(call, params.run_id, query);
      if (tree === null) return runNotFound(params.run_id);
      return done({ ...tree, children: tree.children as unknown as readonly Json[] });
    },
  );

/** Diff, fixture, evaluation and tree of runs. */
export const addCompareRoutes = (router: Router): void => {
  addDiff(router);
  addFixture(router);
  addEvals(router);
  addTree(router);
};
