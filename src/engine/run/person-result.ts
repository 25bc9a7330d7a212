import type { Json, JsonObject } from "../../lib/json.ts";
import { outcomeOfRequest } from "../hitl/outcome.ts";
import type { HitlRequest } from "../hitl/state.ts";
import type { Draft } from "./draft.ts";
import { executedStage, failedStage } from "./executed-stage.ts";
import type { ExecutedStage, PersonWork, PreparedStage } from "./state.ts";

const spoken = (value: Json): string =>
  typeof value === "string" ? value : value === null ? "" : JSON.stringify(value);

const textOf = ({ status, tally, waitpoint }: HitlRequest, value: Json): string => {
  if (status === "approved") return `approved by ${tally.reviewers.join(", ")}`;
  if (status === "accepted") return `accepted by ${waitpoint.completed_by ?? "somebody"}`;
  return spoken(value);
};

const BRANCHES: Readonly<Partial<Record<HitlRequest["status"], string>>> = {
  approved: "approved",
  denied: "denied",
  accepted: "accepted",
  timed_out: "timeout",
  cancelled: "error",
};

/** A stage that went on as intended, under the branch that says what people decided. */
const onBranch = (executed: ExecutedStage, branch: string): ExecutedStage =>
  executed.branch === "success" ? { ...executed, outcome: branch, branch } : executed;

/** What a stage comes to whose request has settled: the answer or the typed error is its data (spec/workers 24.3 to 24.8). */
export const executedByPeople = (draft: Draft, unit: PreparedStage, request: HitlRequest): ExecutedStage => {
  const outcome = outcomeOfRequest(request);
  const { request_id } = request.asking;
  if (outcome.type === "error" && request.status === "answered") return failedStage(outcome.error.message);
  const isValue = outcome.type !== "error";
  const data =
    outcome.type === "value"
      ? outcome.value
      : outcome.type === "error"
        ? (outcome.error as unknown as JsonObject)
        : null;
  const text = outcome.type === "error" ? outcome.error.message : textOf(request, data);
  const timedOut = request.status === "timed_out" ? { timed_out: true } : {};
  const result: JsonObject = { status: "completed", text, visible_text: text, data, request_id, ...timedOut };
  const executed = executedStage(draft, unit, result);
  const branch =
    isValue && request.asking.asked.kind === "question" ? "success" : (BRANCHES[request.status] ?? "success");
  return onBranch(executed, branch);
};

/** What a released action comes to: its result, with the approval's record beside it (spec/workers 24.6). */
export const executedAfterApproval = (
  draft: Draft,
  unit: PreparedStage,
  { work, result }: { readonly work: PersonWork; readonly result: JsonObject },
): ExecutedStage => {
  const approval = draft.run.requests.get(work.request_id)?.request.waitpoint.value ?? null;
  const executed = executedStage(draft, unit, { ...result, request_id: work.request_id, approval });
  return onBranch(executed, "approved");
};
