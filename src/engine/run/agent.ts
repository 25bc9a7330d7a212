import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { rfc3339 } from "../../lib/time.ts";
import type {
  PendingToolCall,
  StepCompaction,
  ToolAnswer,
  ToolApproval,
  ToolCallRecord,
} from "../../schema/agent-step.ts";
import { type Rejection, reject } from "../machine.ts";
import { toolResultMessage } from "../transcript/message.ts";
import { type Session, sessionIn } from "../transcript/session.ts";
import type { AnswerCall, RecordStep } from "./command.ts";
import type { Draft } from "./draft.ts";
import type { AgentStepRecorded } from "./event.ts";
import { goOn } from "./finish.ts";
import { openByToken } from "./open.ts";
import { isTerminal, type PreparedStage } from "./state.ts";
import { delegateCalls } from "./subagent-call.ts";
import { askSuspension, restAfterStep } from "./suspend.ts";

const STALE = "the attempt token is not the current one: stop working on this stage";

/** Records a step of an agent loop, or of a call in a conversation, for the holder of the current attempt; a repetition changes nothing (I5, I6). */
export const recordStep = (draft: Draft, { attempt_token: token, number, step }: RecordStep): Rejection | null => {
  const { run } = draft;
  const unit = isTerminal(run.status) ? undefined : openByToken(run, token);
  if (unit?.work.type !== "model" || unit.holder === "nobody" || unit.retry_at_ms !== null || unit.settled !== null)
    return reject("stale_attempt", STALE).rejection;
  if (unit.loop === null)
    return reject("invalid_transition", `${unit.stage_id} has no conversation that steps could be recorded in`)
      .rejection;
  const { steps } = unit.loop;
  if (number < steps) return null;
  if (number !== steps)
    return reject("invalid_transition", `step ${number} of ${unit.stage_id} does not follow step ${steps}`).rejection;
  const { iteration, messages, tool_call, usage } = step;
  const compaction = compactionOf(sessionIn(run.sessions, unit.session_id), step.compaction);
  draft.emit({
    type: "agent_step_recorded",
    stage_id: unit.stage_id,
    iteration,
    ...(messages === undefined ? {} : { messages }),
    ...(tool_call === undefined ? {} : { tool_call }),
    ...(usage === undefined ? {} : { usage }),
    ...(compaction === undefined ? {} : { compaction }),
  });
  if (step.suspend !== undefined) askSuspension(draft, step.suspend);
  restAfterStep(draft, unit);
  return null;
};

/** Whether the holder of an attempt goes on behind a step that it recorded. */
export const goesOn = (draft: Draft, token: string): boolean => openByToken(draft.run, token)?.retry_at_ms === null;

/**
 * What a compaction changed; the messages it led to follow from it. Where others took messages away from a shared session
 * meanwhile, its numbers mean other messages: the session stays as they left it.
 */
const compactionOf = (
  session: Session | undefined,
  given: StepCompaction | undefined,
): AgentStepRecorded["compaction"] => {
  if (given === undefined || session === undefined) return undefined;
  const { event, revision } = given;
  const isThere = event.keep_first + event.archived <= session.messages.length;
  return isThere && revision === session.revision ? event : undefined;
};

/** True for the result of a loop that waits for a client or a person. */
export const isParkedResult = (result: JsonObject): boolean => result["__workflow_stage_parked"] === true;

const REASONS: readonly string[] = ["client_tool", "approval", "worker"] satisfies readonly PendingToolCall["reason"][];

const isPendingCall = (value: Json): boolean =>
  isObject(value) &&
  typeof value["call_id"] === "string" &&
  typeof value["tool_name"] === "string" &&
  isObject(value["arguments"]) &&
  typeof value["iteration"] === "number" &&
  REASONS.includes(String(value["reason"]));

/** What is wrong with the calls that a loop says it waits for; null for nothing. A loop that waits for none waits for ever. */
export const parkedFlaw = ({ pending }: JsonObject): string | null => {
  if (!Array.isArray(pending) || pending.length === 0)
    return "result.pending: a stage that waits names the calls it waits for";
  const bad = pending.findIndex((call: Json) => !isPendingCall(call));
  return bad < 0
    ? null
    : `result.pending[${bad}]: expected call_id, tool_name, arguments, iteration and reason (client_tool, approval or worker)`;
};

/** Ends an attempt in order: its loop waits for the answers to these calls. */
export const parkStage = (draft: Draft, unit: PreparedStage, result: JsonObject): void => {
  draft.emit({
    type: "stage_parked",
    stage_id: unit.stage_id,
    record: {
      attempt: unit.attempt,
      status: "completed",
      outcome: "waiting",
      branch: null,
      error: null,
      verification: null,
      started_at: unit.attempt_started_at,
      finished_at: rfc3339(draft.context.now),
    },
    pending: pendingOf(draft, result),
    handed_in: result,
  });
  delegateCalls(draft, unit.stage_id);
};

/** The calls that a loop waits for; those for workers with the ids that these will have. */
const pendingOf = ({ context }: Draft, { pending }: JsonObject): readonly PendingToolCall[] =>
  (pending as unknown as readonly PendingToolCall[]).map(({ worker_id: _given, ...call }) =>
    call.reason === "worker" ? { ...call, worker_id: context.nextId("worker") } : call,
  );

interface Waiting {
  readonly unit: PreparedStage;
  readonly call: PendingToolCall;
}

const waitingCalls = (draft: Draft, { call_id: id, stage_id: stageId }: AnswerCall): readonly Waiting[] =>
  draft.run.open
    .filter((unit) => stageId === undefined || unit.stage_id === stageId)
    .flatMap((unit) =>
      (unit.loop?.pending ?? []).filter((call) => call.call_id === id).map((call) => ({ unit, call })),
    );

const mismatch = (call: PendingToolCall, { answer, worker_id: worker }: AnswerCall): string | null => {
  if (call.reason === "worker" && worker !== call.worker_id)
    return `call ${call.call_id} of ${call.tool_name} waits for its worker ${call.worker_id ?? ""}, which answers it`;
  const isApproval = "approved" in answer;
  if (isApproval === (call.reason === "approval")) return null;
  return isApproval
    ? `call ${call.call_id} of ${call.tool_name} waits for its result, not for an approval`
    : `call ${call.call_id} of ${call.tool_name} waits for an approval, not for a result`;
};

/** Answers a call that a loop waits for; with the last answer a driver is ordered. */
export const answerCall = (draft: Draft, command: AnswerCall): Rejection | null => {
  const { run } = draft;
  if (isTerminal(run.status))
    return reject("invalid_transition", `run ${run.run_id} is ${run.status}: nothing waits for an answer`).rejection;
  const [found, other] = waitingCalls(draft, command);
  if (found === undefined) return reject("tool_call_not_found", `no stage waits for call ${command.call_id}`).rejection;
  if (other !== undefined)
    return reject("invalid_request", `several stages wait for a call ${command.call_id}: name one with stage_id`, {
      stage_ids: [found.unit.stage_id, other.unit.stage_id],
    }).rejection;
  const { unit, call } = found;
  const wrong = mismatch(call, command);
  if (wrong !== null) return reject("invalid_request", wrong).rejection;
  draft.emit({
    type: "call_answered",
    stage_id: unit.stage_id,
    call_id: call.call_id,
    ...(command.usage === undefined ? {} : { usage: command.usage }),
    ...("approved" in command.answer
      ? { approval: approvalOf(call, command.answer) }
      : clientAnswer(draft, found, command.answer)),
  });
  if (openStillWaits(draft, unit.stage_id)) return null;
  goOn(draft);
  return null;
};

/** Who approves a call approves the arguments that were shown, unless others take their place. */
const approvalOf = (call: PendingToolCall, answer: ToolApproval): ToolApproval =>
  answer.approved ? { arguments: call.arguments, ...answer } : answer;

const openStillWaits = (draft: Draft, stageId: string): boolean =>
  (draft.run.open.find((unit) => unit.stage_id === stageId)?.loop?.pending.length ?? 0) > 0;

const clientAnswer = (
  draft: Draft,
  { unit, call }: Waiting,
  answer: Exclude<ToolAnswer, { approved: boolean }>,
): { readonly message: JsonObject; readonly tool_call: ToolCallRecord } => {
  const text = typeof answer.result === "string" ? answer.result : JSON.stringify(answer.result);
  const isError = answer.is_error === true;
  const parkedAt = unit.ended_attempts.at(-1)?.finished_at ?? rfc3339(draft.context.now);
  return {
    message: toolResultMessage({ id: call.call_id, name: call.tool_name }, text, isError ? { is_error: true } : {}),
    tool_call: {
      call_id: call.call_id,
      tool_name: call.tool_name,
      arguments: call.arguments,
      status: isError ? "error" : "ok",
      result: answer.result,
      duration_ms: Math.max(0, draft.context.now - Date.parse(parkedAt)),
      idempotency_key: `${unit.stage_id}:${call.call_id}`,
      iteration: call.iteration,
      started_at: parkedAt,
      ...(isError ? { error_category: "tool_error" } : {}),
    },
  };
};
