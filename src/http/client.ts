import type * as z from "zod";
import type { Json, JsonObject } from "../lib/json.ts";
import type { ArtifactOp } from "../schema/api-artifact.ts";
import type { createdKeySchema, keyPageSchema, Scope, Tenant } from "../schema/api-key.ts";
import type {
  advancedSchema,
  completedStageSchema,
  createdRunSchema,
  eventPageSchema,
  finalizedSchema,
  LiveEventDocument,
  planSchema,
  renewedSchema,
  runControlSchema,
  runPageSchema,
  runViewSchema,
  usageSchema,
} from "../schema/api-run.ts";
import type {
  evalReportSchema,
  evalRequestSchema,
  forkReplySchema,
  forkRequestSchema,
  runDiffSchema,
  runTreeSchema,
} from "../schema/api-replay.ts";
import type {
  definedWorkflowSchema,
  editedWorkflowSchema,
  EditOp,
  graphInspectionSchema,
  normalizedWorkflowSchema,
  policyReportSchema,
  workflowDiffSchema,
  workflowPageSchema,
  workflowVersionSchema,
} from "../schema/api-workflow.ts";
import type { ArtifactRecord } from "../schema/artifact.ts";
import type { ValidationReport } from "../schema/graph.ts";
import type { runBudgetSchema } from "../schema/run-budget.ts";
import type { ReplayFixture } from "../schema/replay.ts";
import { ApprovalCalls } from "./client/approvals.ts";
import { AssetCalls } from "./client/assets.ts";
import { DeadLetterCalls } from "./client/dead-letters.ts";
import { EventCalls } from "./client/events.ts";
import { FinishCalls } from "./client/finish.ts";
import { MailboxCalls } from "./client/mailboxes.ts";
import { OperationCalls } from "./client/operations.ts";
import { PoolCalls } from "./client/pools.ts";
import { QueueCalls } from "./client/queues.ts";
import { SessionCalls } from "./client/sessions.ts";
import { ToolCalls } from "./client/tool-calls.ts";
import {
  type CallOptions,
  type ClientOptions,
  type Out,
  type Page,
  ProblemError,
  type Query,
  segment,
  Transport,
} from "./client/transport.ts";
import { TriggerCalls } from "./client/triggers.ts";
import { WorkerCalls } from "./client/workers.ts";
import { readServerSentEvents } from "./server-sent-events.ts";

export { ProblemError } from "./client/transport.ts";

/** Body of `createRun`. */
export interface NewRunInput {
  readonly workflow_id?: string;
  readonly graph?: unknown;
  readonly version?: number;
  readonly task: string;
  readonly artifacts?: Json;
  readonly options?: JsonObject;
  readonly drive?: "auto" | "manual";
}

type RunPart = "stages" | "artifacts" | "transitions" | "checkpoints" | "worker_updates";

/** How often in a row a stream may end before it is given up. */
const MAX_SILENT_RESUMES = 5;

const RESUME_PAUSE_MS = 500;

/** An answer that another try does not change; a server that is being started answers 503. */
const isRefusal = (thrown: unknown): boolean => thrown instanceof ProblemError && thrown.status !== 503;

/** The HTTP API as methods. Each throws a `ProblemError` for a refusal; a fault of the network is thrown as it comes. */
export class Client {
  readonly assets: AssetCalls;
  readonly deadLetters: DeadLetterCalls;
  readonly operations: OperationCalls;
  readonly approvals: ApprovalCalls;
  readonly triggerEvents: EventCalls;
  readonly finish: FinishCalls;
  readonly mailboxes: MailboxCalls;
  readonly pools: PoolCalls;
  readonly queues: QueueCalls;
  readonly workers: WorkerCalls;
  readonly sessions: SessionCalls;
  readonly toolCalls: ToolCalls;
  readonly triggers: TriggerCalls;
  readonly #transport: Transport;

  constructor(options: ClientOptions) {
    const transport = new Transport(options);
    this.#transport = transport;
    this.assets = new AssetCalls(transport);
    this.deadLetters = new DeadLetterCalls(transport);
    this.operations = new OperationCalls(transport);
    this.approvals = new ApprovalCalls(transport);
    this.triggerEvents = new EventCalls(transport);
    this.finish = new FinishCalls(transport);
    this.mailboxes = new MailboxCalls(transport);
    this.pools = new PoolCalls(transport);
    this.queues = new QueueCalls(transport);
    this.workers = new WorkerCalls(transport);
    this.sessions = new SessionCalls(transport);
    this.toolCalls = new ToolCalls(transport);
    this.triggers = new TriggerCalls(transport);
  }

  health = () => this.#transport.send<{ status: "ok" }>("GET", "/healthz");
  version = () => this.#transport.send<{ name: string; version: string }>("GET", "/v1/version");
  /** The page that explains an error code, as HTML. */
  getErrorPage = async (code: string): Promise<string> =>
    (await this.#transport.fetch(`/docs/errors/${segment(code)}`, { headers: {} })).text();
  openapi = () => this.#transport.send<JsonObject>("GET", "/openapi.json");

  validateWorkflow = (graph: unknown, ceiling?: unknown) =>
    this.#transport.send<ValidationReport>("POST", "/v1/workflows/validate", { body: { graph, ceiling } });
  defineWorkflow = (id: string, graph: unknown) =>
    this.#transport.send<Out<typeof definedWorkflowSchema>>("PUT", `/v1/workflows/${segment(id)}`, { body: { graph } });
  listWorkflows = (query: Query = {}) =>
    this.#transport.send<Out<typeof workflowPageSchema>>("GET", "/v1/workflows", { query });
  getWorkflow = (id: string, version?: number) =>
    this.#transport.send<Out<typeof workflowVersionSchema>>(
      "GET",
      `/v1/workflows/${segment(id)}${version === undefined ? "" : `/versions/${version}`}`,
    );
  listVersions = (id: string, query: Query = {}) =>
    this.#transport.send<Out<typeof workflowPageSchema>>("GET", `/v1/workflows/${segment(id)}/versions`, { query });
  editWorkflow = (op: EditOp, body: JsonObject) =>
    this.#transport.send<Out<typeof editedWorkflowSchema>>("POST", "/v1/workflows/edit", { body: { op, ...body } });
  normalizeWorkflow = (graph?: unknown) =>
    this.#transport.send<Out<typeof normalizedWorkflowSchema>>("POST", "/v1/workflows/normalize", { body: { graph } });
  inspectWorkflow = (graph: unknown, ceiling?: unknown) =>
    this.#transport.send<Out<typeof graphInspectionSchema>>("POST", "/v1/workflows/inspect", {
      body: { graph, ceiling },
    });
  reportPolicy = (graph: unknown, ceiling?: unknown) =>
    this.#transport.send<Out<typeof policyReportSchema>>("POST", "/v1/workflows/policy_report", {
      body: { graph, ceiling },
    });
  diffWorkflows = (left: unknown, right: unknown) =>
    this.#transport.send<Out<typeof workflowDiffSchema>>("POST", "/v1/workflows/diff", { body: { left, right } });

  buildArtifact = (op: ArtifactOp, body: JsonObject) =>
    this.#transport.send<{ readonly result: Json }>("POST", "/v1/artifacts/build", { body: { op, ...body } });

  createRun = (body: NewRunInput, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof createdRunSchema>>("POST", "/v1/runs", { body, call });
  listRuns = (query: Query = {}) => this.#transport.send<Out<typeof runPageSchema>>("GET", "/v1/runs", { query });
  getRun = (run: string, checkpoint?: string) =>
    this.#transport.send<Out<typeof runViewSchema>>("GET", `/v1/runs/${segment(run)}`, { query: { checkpoint } });
  listPart = (run: string, part: RunPart, query: Query = {}) =>
    this.#transport.send<Page>("GET", `/v1/runs/${segment(run)}/${part}`, { query });
  getArtifact = (run: string, id: string) =>
    this.#transport.send<ArtifactRecord>("GET", `/v1/runs/${segment(run)}/artifacts/${segment(id)}`);
  getArtifactBody = async (run: string, id: string): Promise<string> =>
    (await this.#transport.fetch(`/v1/runs/${segment(run)}/artifacts/${segment(id)}/body`, { headers: {} })).text();
  getTranscript = (run: string) =>
    this.#transport.send<{ transcript: Json }>("GET", `/v1/runs/${segment(run)}/transcript`);
  getUsage = (run: string) => this.#transport.send<Out<typeof usageSchema>>("GET", `/v1/runs/${segment(run)}/usage`);
  listEvents = (run: string, query: Query = {}) =>
    this.#transport.send<Out<typeof eventPageSchema>>("GET", `/v1/runs/${segment(run)}/events`, { query });

  prepareStage = (run: string, node: string, body: JsonObject = {}, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof planSchema>>("POST", `/v1/runs/${segment(run)}/stages/${segment(node)}/prepare`, {
      body,
      call,
    });
  completeStage = (
    run: string,
    node: string,
    body: { readonly attempt_token: string; readonly result: JsonObject },
    call: CallOptions = {},
  ) =>
    this.#transport.send<Out<typeof completedStageSchema>>(
      "POST",
      `/v1/runs/${segment(run)}/stages/${segment(node)}/complete`,
      {
        body,
        call,
      },
    );
  renewStage = (run: string, node: string, attemptToken: string) =>
    this.#transport.send<Out<typeof renewedSchema>>("POST", `/v1/runs/${segment(run)}/stages/${segment(node)}/renew`, {
      body: { attempt_token: attemptToken },
    });
  recordTransitions = (
    run: string,
    body: { readonly stage: unknown; readonly edges: unknown },
    call: CallOptions = {},
  ) =>
    this.#transport.send<Out<typeof runControlSchema>>("POST", `/v1/runs/${segment(run)}/transitions`, { body, call });
  finalizeRun = (run: string, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof finalizedSchema>>("POST", `/v1/runs/${segment(run)}/finalize`, { call });
  advanceRun = (run: string, body: JsonObject = {}, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof advancedSchema>>("POST", `/v1/runs/${segment(run)}/advance`, { body, call });
  pauseRun = (run: string, reason?: string) => this.#control(run, "pause", { reason });
  cancelRun = (run: string, reason?: string) => this.#control(run, "cancel", { reason });
  resumeRun = (run: string, maxSteps?: number, budget?: Out<typeof runBudgetSchema>) =>
    this.#control(run, "resume", { max_steps: maxSteps, budget });

  resumeFrom = (run: string, checkpointId: string, maxSteps?: number, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof runControlSchema>>("POST", `/v1/runs/${segment(run)}/resume`, {
      body: { checkpoint_id: checkpointId, max_steps: maxSteps },
      call,
    });
  replayRun = (run: string, body: { readonly version?: number } = {}, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof runControlSchema>>("POST", `/v1/runs/${segment(run)}/replay`, {
      body: { mode: "deterministic", ...body },
      call,
    });
  forkRun = (run: string, body: z.input<typeof forkRequestSchema>, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof forkReplySchema>>("POST", `/v1/runs/${segment(run)}/fork`, { body, call });
  diffRuns = (left: string, right: string) =>
    this.#transport.send<Out<typeof runDiffSchema>>("GET", `/v1/runs/${segment(left)}/diff/${segment(right)}`);
  getFixture = (run: string) => this.#transport.send<ReplayFixture>("GET", `/v1/runs/${segment(run)}/fixture`);
  getTree = (run: string, query: Query = {}) =>
    this.#transport.send<Out<typeof runTreeSchema>>("GET", `/v1/runs/${segment(run)}/tree`, { query });
  evaluateRuns = (body: z.input<typeof evalRequestSchema>) =>
    this.#transport.send<Out<typeof evalReportSchema>>("POST", "/v1/evals", { body });

  createKey = (body: { readonly name?: string; readonly scopes: readonly Scope[] }, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof createdKeySchema>>("POST", "/v1/keys", { body, call });
  listKeys = (query: Query = {}) => this.#transport.send<Out<typeof keyPageSchema>>("GET", "/v1/keys", { query });
  revokeKey = (id: string) => this.#transport.send<undefined>("DELETE", `/v1/keys/${segment(id)}`);
  createTenant = (body: { readonly tenant: string; readonly name?: string }, call: CallOptions = {}) =>
    this.#transport.send<Tenant>("POST", "/v1/tenants", { body, call });

  /**
   * The events of a run from an event id on, until the run is over. A stream that is cut off, also by a server that is
   * started again, is resumed after the last event that was seen; no event comes twice. Where that does not help the
   * fault is thrown.
   */
  async *events(
    run: string,
    from: { readonly after?: string; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<LiveEventDocument> {
    let last = from.after;
    let fault: unknown = null;
    for (let silent = 0; silent < MAX_SILENT_RESUMES; silent++) {
      try {
        const response = await this.#stream(run, last, from.signal);
        if (response.status === 204 || response.body === null) return;
        fault = new Error("the stream of events ends again and again before the run does");
        for await (const message of readServerSentEvents(response.body)) {
          if (message.event === "end") return;
          silent = 0;
          // What is only shown, and never stored, has no id.
          last = message.id === "" ? last : message.id;
          yield JSON.parse(message.data) as LiveEventDocument;
        }
      } catch (thrown) {
        // What was never connected is not resumed.
        if (fault === null || from.signal?.aborted === true || isRefusal(thrown)) throw thrown;
        fault = thrown;
      }
      await new Promise((resolve) => setTimeout(resolve, RESUME_PAUSE_MS * 2 ** silent));
    }
    throw fault;
  }

  #stream(run: string, last: string | undefined, signal: AbortSignal | undefined): Promise<Response> {
    const headers = { Accept: "text/event-stream", ...(last === undefined ? {} : { "Last-Event-ID": last }) };
    return this.#transport.fetch(`/v1/runs/${segment(run)}/events`, {
      headers,
      ...(signal === undefined ? {} : { signal }),
    });
  }

  #control(run: string, verb: "pause" | "resume" | "cancel", body: Readonly<Record<string, unknown>>) {
    return this.#transport.send<Out<typeof runControlSchema>>("POST", `/v1/runs/${segment(run)}/${verb}`, { body });
  }
}
