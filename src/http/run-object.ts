import type { Answer } from "../engine/machine.ts";
import type { RecordRequest, RecordView } from "../../durable-objects/projections/run-record.ts";
import type { PartName, PartPage, PartRequest } from "../../durable-objects/projections/run-parts.ts";
import type { IdempotencyKey } from "../../durable-objects/shell/idempotency.ts";
import type { RunRequest } from "../../durable-objects/workflow-run.ts";
import type { ForkSource, NoForkSource } from "../engine/replay/fork-source.ts";
import type { RecordedPage } from "../engine/replay/next-stage.ts";
import type { ReplaySource } from "../engine/replay/source.ts";
import type { Renewal, RunReply } from "../engine/run/command.ts";
import type { AuditEntry } from "../engine/finish/state.ts";
import type { RunUnsettled } from "../engine/run/unsettled.ts";
import type { LoggedRequest } from "../engine/run/request-view.ts";
import type { LiveEvent } from "../engine/observe/live.ts";
import type { JsonObject } from "../lib/json.ts";
import type { ArtifactRecord } from "../schema/artifact.ts";
import type { Bindings } from "./call.ts";
import { fromRejection, problem, type Problem } from "./problem.ts";

/** Events of a run and whether it is over. */
export interface EventPage {
  readonly items: readonly LiveEvent[];
  readonly ended: boolean;
}

/** What the API needs of a run's object. */
export interface RunObject {
  readonly request: (request: RunRequest, key?: IdempotencyKey) => Promise<Answer<RunReply>>;
  readonly renew: (attemptTokens: readonly string[]) => Promise<Answer<Renewal>>;
  readonly record: (request: RecordRequest) => Promise<RecordView | null>;
  readonly toolCalls: (request: PartRequest & { readonly pending: boolean }) => Promise<PartPage | null>;
  /** Null for a request that the run did not make. */
  readonly asked: (requestId: string, withLog?: boolean) => Promise<LoggedRequest | null>;
  readonly part: (part: PartName, request: PartRequest) => Promise<PartPage | null>;
  /** Null for a run that does not exist. */
  readonly unsettled: () => Promise<RunUnsettled | null>;
  readonly audit: (request: {
    readonly after: number;
    readonly limit: number;
  }) => Promise<{ readonly entries: readonly AuditEntry[]; readonly more: boolean } | null>;
  readonly artifact: (id: string) => Promise<{ readonly artifact: ArtifactRecord | null } | null>;
  readonly checks: (attemptToken: string) => Promise<JsonObject | null>;
  readonly recording: (from: number) => Promise<RecordedPage>;
  readonly replaySource: () => Promise<ReplaySource | null>;
  readonly forkSource: (checkpointId: string) => Promise<ForkSource | NoForkSource | "run_not_found">;
  readonly events: (after: string | null, limit: number) => Promise<EventPage | null>;
  readonly fetch: (input: string, init?: RequestInit) => Promise<Response>;
}

/** A stub of a run; ask again after every fault, a stub of a reset object stays broken. */
export const runObject = (env: Pick<Bindings, "WORKFLOW_RUN">, tenant: string, runId: string): RunObject =>
  env.WORKFLOW_RUN.getByName(`${tenant}/${runId}`) as unknown as RunObject;

/** The refusal for a run that the tenant does not have. */
export const runNotFound = (runId: string): Problem => problem("run_not_found", `there is no run ${runId}`);

/** The reply of one type, or the refusal. An operation that raised is a refusal too; the run has stored it. */
export const replyOf = <Type extends RunReply["type"]>(
  answer: Answer<RunReply>,
  type: Type,
):
  | { readonly ok: true; readonly reply: Extract<RunReply, { type: Type }> }
  | { readonly ok: false; readonly problem: Problem } => {
  if (!answer.ok) return { ok: false, problem: fromRejection(answer.rejection) };
  const { reply } = answer;
  if (reply.type === type) return { ok: true, reply: reply as Extract<RunReply, { type: Type }> };
  if (reply.type === "raised") return { ok: false, problem: fromRejection(reply) };
  return { ok: false, problem: problem("internal_error", `the run answered ${reply.type} instead of ${type}`) };
};
