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
import type { enqueuedSchema } from "../schema/api-mailbox.ts";
import type { respondToolCallSchema, toolCallSchema } from "../schema/api-tool-call.ts";
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
import type { ReplayFixture } from "../schema/replay.ts";
import type { ProblemDocument } from "./problem.ts";
import { readServerSentEvents } from "./server-sent-events.ts";

/** An answer of the API that is a problem document. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly problem: ProblemDocument;
  readonly code: string;
  readonly status: number;

  constructor(problem: ProblemDocument) {
    super(`${problem.code}: ${problem.detail}`);
    this.problem = problem;
    this.code = problem.code;
    this.status = problem.status;
  }
}

export interface ClientOptions {
  /** Such as `http://127.0.0.1:8787`. */
  readonly base_url: string;
  readonly key: string;
  /** With the root key: the tenant to act for. */
  readonly tenant?: string;
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

/** Settings of one call. */
export interface CallOptions {
  readonly idempotency_key?: string;
  readonly signal?: AbortSignal;
}

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

type Query = Readonly<Record<string, string | number | undefined>>;
type RunPart = "stages" | "artifacts" | "transitions" | "checkpoints";
type Out<Schema extends z.ZodType> = z.output<Schema>;
interface Page<Item = Json> {
  readonly items: readonly Item[];
  readonly next_cursor: string | null;
}

/** How often in a row a stream may end before it is given up. */
const MAX_SILENT_RESUMES = 5;

const RESUME_PAUSE_MS = 500;

const unreadable = (response: Response): ProblemDocument => ({
  type: "about:blank",
  title: "The answer is no problem document",
  status: response.status,
  detail: `the server answered ${response.status} without a problem document`,
  code: "internal_error",
  request_id: response.headers.get("Godwit-Request-Id") ?? "",
});

/** An answer that another try does not change; a server that is being started answers 503. */
const isRefusal = (thrown: unknown): boolean => thrown instanceof ProblemError && thrown.status !== 503;

const segment = encodeURIComponent;

/** The HTTP API as methods. Each throws a `ProblemError` for a refusal; a fault of the network is thrown as it comes. */
export class Client {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  health = () => this.#send<{ status: "ok" }>("GET", "/healthz");
  version = () => this.#send<{ name: string; version: string }>("GET", "/v1/version");
  openapi = () => this.#send<JsonObject>("GET", "/openapi.json");

  validateWorkflow = (graph: unknown, ceiling?: unknown) =>
    this.#send<ValidationReport>("POST", "/v1/workflows/validate", { body: { graph, ceiling } });
  defineWorkflow = (id: string, graph: unknown) =>
    this.#send<Out<typeof definedWorkflowSchema>>("PUT", `/v1/workflows/${segment(id)}`, { body: { graph } });
  listWorkflows = (query: Query = {}) => this.#send<Out<typeof workflowPageSchema>>("GET", "/v1/workflows", { query });
  getWorkflow = (id: string, version?: number) =>
    this.#send<Out<typeof workflowVersionSchema>>(
      "GET",
      `/v1/workflows/${segment(id)}${version === undefined ? "" : `/versions/${version}`}`,
    );
  listVersions = (id: string, query: Query = {}) =>
    this.#send<Out<typeof workflowPageSchema>>("GET", `/v1/workflows/${segment(id)}/versions`, { query });
  editWorkflow = (op: EditOp, body: JsonObject) =>
    this.#send<Out<typeof editedWorkflowSchema>>("POST", "/v1/workflows/edit", { body: { op, ...body } });
  normalizeWorkflow = (graph?: unknown) =>
    this.#send<Out<typeof normalizedWorkflowSchema>>("POST", "/v1/workflows/normalize", { body: { graph } });
  inspectWorkflow = (graph: unknown, ceiling?: unknown) =>
    this.#send<Out<typeof graphInspectionSchema>>("POST", "/v1/workflows/inspect", { body: { graph, ceiling } });
  reportPolicy = (graph: unknown, ceiling?: unknown) =>
    this.#send<Out<typeof policyReportSchema>>("POST", "/v1/workflows/policy_report", { body: { graph, ceiling } });
  diffWorkflows = (left: unknown, right: unknown) =>
    this.#send<Out<typeof workflowDiffSchema>>("POST", "/v1/workflows/diff", { body: { left, right } });

  buildArtifact = (op: ArtifactOp, body: JsonObject) =>
    this.#send<{ readonly result: Json }>("POST", "/v1/artifacts/build", { body: { op, ...body } });

  createRun = (body: NewRunInput, call: CallOptions = {}) =>
    this.#send<Out<typeof createdRunSchema>>("POST", "/v1/runs", { body, call });
  listRuns = (query: Query = {}) => this.#send<Out<typeof runPageSchema>>("GET", "/v1/runs", { query });
  getRun = (run: string, checkpoint?: string) =>
    this.#send<Out<typeof runViewSchema>>("GET", `/v1/runs/${segment(run)}`, { query: { checkpoint } });
  listPart = (run: string, part: RunPart, query: Query = {}) =>
    this.#send<Page>("GET", `/v1/runs/${segment(run)}/${part}`, { query });
  getArtifact = (run: string, id: string) =>
    this.#send<ArtifactRecord>("GET", `/v1/runs/${segment(run)}/artifacts/${segment(id)}`);
  getArtifactBody = async (run: string, id: string): Promise<string> =>
    (await this.#fetch(`/v1/runs/${segment(run)}/artifacts/${segment(id)}/body`, { headers: {} })).text();
  getTranscript = (run: string) => this.#send<{ transcript: Json }>("GET", `/v1/runs/${segment(run)}/transcript`);
  getUsage = (run: string) => this.#send<Out<typeof usageSchema>>("GET", `/v1/runs/${segment(run)}/usage`);
  listEvents = (run: string, query: Query = {}) =>
    this.#send<Out<typeof eventPageSchema>>("GET", `/v1/runs/${segment(run)}/events`, { query });

  prepareStage = (run: string, node: string, body: JsonObject = {}, call: CallOptions = {}) =>
    this.#send<Out<typeof planSchema>>("POST", `/v1/runs/${segment(run)}/stages/${segment(node)}/prepare`, {
      body,
      call,
    });
  completeStage = (
    run: string,
    node: string,
    body: { readonly attempt_token: string; readonly result: JsonObject },
    call: CallOptions = {},
  ) =>
    this.#send<Out<typeof completedStageSchema>>("POST", `/v1/runs/${segment(run)}/stages/${segment(node)}/complete`, {
      body,
      call,
    });
  renewStage = (run: string, node: string, attemptToken: string) =>
    this.#send<Out<typeof renewedSchema>>("POST", `/v1/runs/${segment(run)}/stages/${segment(node)}/renew`, {
      body: { attempt_token: attemptToken },
    });
  recordTransitions = (
    run: string,
    body: { readonly stage: unknown; readonly edges: unknown },
    call: CallOptions = {},
  ) => this.#send<Out<typeof runControlSchema>>("POST", `/v1/runs/${segment(run)}/transitions`, { body, call });
  finalizeRun = (run: string, call: CallOptions = {}) =>
    this.#send<Out<typeof finalizedSchema>>("POST", `/v1/runs/${segment(run)}/finalize`, { call });
  advanceRun = (run: string, body: JsonObject = {}, call: CallOptions = {}) =>
    this.#send<Out<typeof advancedSchema>>("POST", `/v1/runs/${segment(run)}/advance`, { body, call });
  pauseRun = (run: string, reason?: string) => this.#control(run, "pause", { reason });
  cancelRun = (run: string, reason?: string) => this.#control(run, "cancel", { reason });
  resumeRun = (run: string, maxSteps?: number) => this.#control(run, "resume", { max_steps: maxSteps });

  resumeFrom = (run: string, checkpointId: string, maxSteps?: number, call: CallOptions = {}) =>
    this.#send<Out<typeof runControlSchema>>("POST", `/v1/runs/${segment(run)}/resume`, {
      body: { checkpoint_id: checkpointId, max_steps: maxSteps },
      call,
    });
  replayRun = (run: string, body: { readonly version?: number } = {}, call: CallOptions = {}) =>
    this.#send<Out<typeof runControlSchema>>("POST", `/v1/runs/${segment(run)}/replay`, {
      body: { mode: "deterministic", ...body },
      call,
    });
  forkRun = (run: string, body: z.input<typeof forkRequestSchema>, call: CallOptions = {}) =>
    this.#send<Out<typeof forkReplySchema>>("POST", `/v1/runs/${segment(run)}/fork`, { body, call });
  listToolCalls = (run: string, query: Query = {}) =>
    this.#send<Page<Out<typeof toolCallSchema>>>("GET", `/v1/runs/${segment(run)}/tool_calls`, { query });
  respondToolCall = (run: string, id: string, body: z.input<typeof respondToolCallSchema>, call: CallOptions = {}) =>
    this.#send<Out<typeof runControlSchema>>("POST", `/v1/runs/${segment(run)}/tool_calls/${segment(id)}/respond`, {
      body,
      call,
    });
  signal = (workflow: string, name: string, payload?: Json, call: CallOptions = {}) =>
    this.#send<Out<typeof enqueuedSchema>>("POST", `/v1/mailboxes/${segment(workflow)}/signal`, {
      body: { name, payload },
      call,
    });

  diffRuns = (left: string, right: string) =>
    this.#send<Out<typeof runDiffSchema>>("GET", `/v1/runs/${segment(left)}/diff/${segment(right)}`);
  getFixture = (run: string) => this.#send<ReplayFixture>("GET", `/v1/runs/${segment(run)}/fixture`);
  getTree = (run: string, query: Query = {}) =>
    this.#send<Out<typeof runTreeSchema>>("GET", `/v1/runs/${segment(run)}/tree`, { query });
  evaluateRuns = (body: z.input<typeof evalRequestSchema>) =>
    this.#send<Out<typeof evalReportSchema>>("POST", "/v1/evals", { body });

  createKey = (body: { readonly name?: string; readonly scopes: readonly Scope[] }, call: CallOptions = {}) =>
    this.#send<Out<typeof createdKeySchema>>("POST", "/v1/keys", { body, call });
  listKeys = (query: Query = {}) => this.#send<Out<typeof keyPageSchema>>("GET", "/v1/keys", { query });
  revokeKey = (id: string) => this.#send<undefined>("DELETE", `/v1/keys/${segment(id)}`);
  createTenant = (body: { readonly tenant: string; readonly name?: string }, call: CallOptions = {}) =>
    this.#send<Tenant>("POST", "/v1/tenants", { body, call });

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
    return this.#fetch(`/v1/runs/${segment(run)}/events`, { headers, ...(signal === undefined ? {} : { signal }) });
  }

  #control(run: string, verb: "pause" | "resume" | "cancel", body: Readonly<Record<string, unknown>>) {
    return this.#send<Out<typeof runControlSchema>>("POST", `/v1/runs/${segment(run)}/${verb}`, { body });
  }

  async #send<Reply>(
    method: string,
    path: string,
    { body, query, call }: { readonly body?: unknown; readonly query?: Query; readonly call?: CallOptions } = {},
  ): Promise<Reply> {
    const given = Object.entries(query ?? {}).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, String(value)]],
    );
    const search = given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
    const response = await this.#fetch(`${path}${search}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(call?.idempotency_key === undefined ? {} : { "Idempotency-Key": call.idempotency_key }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(call?.signal === undefined ? {} : { signal: call.signal }),
    });
    return (response.status === 204 ? undefined : await response.json()) as Reply;
  }

  async #fetch(
    path: string,
    init: RequestInit & { readonly headers: Readonly<Record<string, string>> },
  ): Promise<Response> {
    const {
      base_url: base,
      key,
      tenant,
      fetch: send = (url: string, request: RequestInit) => fetch(url, request),
    } = this.#options;
    const response = await send(`${base.replace(/\/$/, "")}${path}`, {
      ...init,
      headers: {
        Authorization: `Bearer ${key}`,
        ...(tenant === undefined ? {} : { "Godwit-Tenant": tenant }),
        ...init.headers,
      },
    });
    if (response.ok) return response;
    const isProblem = response.headers.get("Content-Type")?.includes("application/problem+json") === true;
    throw new ProblemError(isProblem ? await response.json() : unreadable(response));
  }
}
