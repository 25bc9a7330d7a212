import { OpenAPIHono } from "@hono/zod-openapi";
import { uuidIds } from "../ports/ids.ts";
import { problemOfError } from "./fault.ts";
import { seal } from "./headers.ts";
import { problem, problemResponse } from "./problem.ts";
import { type App, type HonoEnv, Router } from "./router.ts";
import { addApprovalRoutes } from "./routes/approvals.ts";
import { addApprovePage } from "./routes/approve.ts";
import { addAssetRoutes } from "./routes/assets.ts";
import { addChannelRoutes } from "./routes/channels.ts";
import { addCompareRoutes } from "./routes/compare.ts";
import { addCronRoutes } from "./routes/cron.ts";
import { addEventRoutes } from "./routes/events.ts";
import { addEventBodyRoutes } from "./routes/event-body.ts";
import { addEventControlRoutes } from "./routes/event-control.ts";
import { addEventReplayRoutes } from "./routes/event-replay.ts";
import { addFinishRoutes } from "./routes/finish.ts";
import { addFireRoute } from "./routes/fire.ts";
import { addDeadLetterRoutes } from "./routes/dead-letters.ts";
import { addForkRoutes } from "./routes/fork.ts";
import { addHookRoutes, addPathRoutes } from "./routes/hooks.ts";
import { addKeyRoutes } from "./routes/keys.ts";
import { addMailboxRoutes } from "./routes/mailboxes.ts";
import { addManifestRoutes } from "./routes/manifest.ts";
import { addMetricRoutes } from "./routes/metrics.ts";
import { addMetaRoutes } from "./routes/meta.ts";
import { addArtifactRoutes } from "./routes/artifacts.ts";
import { addRunArtifactRoutes } from "./routes/run-artifacts.ts";
import { addOperationRoutes } from "./routes/operations.ts";
import { addPoolRoutes } from "./routes/pools.ts";
import { addQueueRoutes } from "./routes/queues.ts";
import { addReplayRoutes } from "./routes/replay.ts";
import { addRunControlRoutes } from "./routes/run-control.ts";
import { addRunEventRoutes } from "./routes/run-events.ts";
import { addRunReadRoutes } from "./routes/run-reads.ts";
import { addRunRoutes } from "./routes/runs.ts";
import { addSessionRoutes } from "./routes/sessions.ts";
import { addSettleRoutes } from "./routes/settle.ts";
import { addStageRoutes } from "./routes/stages.ts";
import { addSuspendAllRoute } from "./routes/suspend-all.ts";
import { addToolCallRoutes } from "./routes/tool-calls.ts";
import { addTriggerSecretRoutes } from "./routes/trigger-secret.ts";
import { addTriggerStatsRoutes } from "./routes/trigger-stats.ts";
import { addTriggerRoutes } from "./routes/triggers.ts";
import { addWorkerControlRoutes } from "./routes/worker-control.ts";
import { addWorkerEventRoutes } from "./routes/worker-events.ts";
import { addWorkerSnapshotRoutes } from "./routes/worker-snapshots.ts";
import { addWorkerWebhookRoutes } from "./routes/worker-webhooks.ts";
import { addWorkerRoutes } from "./routes/workers.ts";
import { addWorkflowEditRoutes } from "./routes/workflow-edit.ts";
import { addWorkflowReportRoutes } from "./routes/workflow-reports.ts";
import { addWorkflowRoutes } from "./routes/workflows.ts";
import { assetFor } from "./static.ts";

/** Every group of routes, in the order of the documentation. A new resource is one file and one line here. */
const GROUPS: readonly ((router: Router, app: App) => void)[] = [
  addMetaRoutes,
  addMetricRoutes,
  addWorkflowRoutes,
  addWorkflowEditRoutes,
  addWorkflowReportRoutes,
  addAssetRoutes,
  addRunRoutes,
  addRunReadRoutes,
  addRunArtifactRoutes,
  addRunEventRoutes,
  addRunControlRoutes,
  addFinishRoutes,
  addSettleRoutes,
  addStageRoutes,
  addSessionRoutes,
  addToolCallRoutes,
  addWorkerRoutes,
  addWorkerControlRoutes,
  addWorkerEventRoutes,
  addWorkerWebhookRoutes,
  addWorkerSnapshotRoutes,
  addSuspendAllRoute,
  addChannelRoutes,
  addMailboxRoutes,
  addArtifactRoutes,
  addReplayRoutes,
  addForkRoutes,
  addCompareRoutes,
  addTriggerRoutes,
  addTriggerSecretRoutes,
  addCronRoutes,
  addManifestRoutes,
  addTriggerStatsRoutes,
  addFireRoute,
  addHookRoutes,
  addEventRoutes,
  addEventBodyRoutes,
  addEventReplayRoutes,
  addEventControlRoutes,
  addApprovalRoutes,
  addApprovePage,
  addDeadLetterRoutes,
  addOperationRoutes,
  addQueueRoutes,
  addPoolRoutes,
  addKeyRoutes,
  addPathRoutes,
];

const report = (error: unknown, requestId: string): void => {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : "not an error object";
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : null;
  // oxlint-disable-next-line no-console -- the platform's log is where faults of the API are seen
  console.error(JSON.stringify({ level: "error", request_id: requestId, error: text, cause }));
};

/** The HTTP API: every answer has a request id and security headers, every error is a problem document. */
export const createApp = (): App => {
  const app: App = new OpenAPIHono<HonoEnv>();
  const router = new Router(app);
  app.use(async (c, next) => {
    c.set("request_id", uuidIds("req"));
    await next();
    // The answer to an upgrade has no headers of its own to set.
    if (c.res.status !== 101) seal(c.res.headers, c.get("request_id"));
  });
  for (const add of GROUPS) add(router, app);
  app.notFound(async (c) => {
    const { pathname } = new URL(c.req.url);
    const methods = router.methodsOf(pathname);
    const requestId = c.get("request_id");
    if (methods.length > 0) {
      const refusal = problem("method_not_allowed", `${c.req.method} is not one of ${methods.join(", ")}`, {
        allow: [...methods],
      });
      return problemResponse({ ...refusal, headers: { Allow: methods.join(", ") } }, requestId);
    }
    const asset = await assetFor(c.req.raw, c.env);
    return (
      asset ?? problemResponse(problem("route_not_found", "there is no such route; GET /docs lists them"), requestId)
    );
  });
  app.onError((error, c) => {
    const refusal = problemOfError(error);
    report(error, c.get("request_id"));
    return problemResponse(refusal, c.get("request_id"));
  });
  return app;
};
