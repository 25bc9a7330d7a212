import type { Json, JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { type Context, type Rejection, reject } from "../machine.ts";
import type { SessionOperation } from "./command.ts";
import {
  type CompactionAsk,
  type CompactionMode,
  type CompactionStep,
  finishCompaction,
  planCompaction,
} from "./compaction.ts";
import {
  compactionIsEnabled,
  compactionSettings,
  type CompactionSettings,
  compactOptions,
} from "./compaction-settings.ts";
import { estimateTokens, tokensOfBytes } from "./message.ts";
import type { Session } from "./session.ts";
import type { SessionEvent } from "./session-event.ts";

/** What a compaction leads to: an event, a question to answer first, or neither. */
export interface SessionCompaction {
  readonly events: readonly SessionEvent[];
  readonly ask: CompactionAsk | null;
}

/** How a session is to be compacted. */
export interface CompactionRequest {
  readonly mode: CompactionMode;
  readonly settings: CompactionSettings;
  /** What was answered to what the compaction asked so far, in order. */
  readonly answers: readonly Json[];
}

const afterAnswers = (first: CompactionStep, answers: readonly Json[]): CompactionStep => {
  let step = first;
  for (const answer of answers) {
    if (step.type !== "ask") break;
    step = finishCompaction(step, answer);
  }
  return step;
};

/**
 * Compacts a session (spec/workflow 14.4). With the answers to everything it asks the same request leads to the same event;
 * until then nothing is changed. A manual compaction keeps the transcript as it was in an asset.
 */
export const compactSession = (session: Session, request: CompactionRequest, context: Context): SessionCompaction => {
  const { mode, settings, answers } = request;
  const step = afterAnswers(planCompaction(session.messages.toArray(), settings, mode), answers);
  if (step.type !== "done") return { events: [], ask: step.type === "ask" ? step.ask : null };
  const { metadata, ...compaction } = step.compaction;
  const assetId = mode === "manual" ? context.nextId("compaction-source").replace("_", "-") : null;
  const event: SessionEvent = {
    type: "session_compacted",
    session_id: session.id,
    ...compaction,
    event_id: context.nextId("event"),
    metadata: assetId === null ? metadata : { ...metadata, snapshot_asset_id: assetId },
    snapshot_asset_id: assetId,
  };
  return { events: [event], ask: null };
};

/** Whether a session is too long for the next call; reads nothing but its size (spec/workflow 14.4). */
export const sessionCompactionDue = (
  session: Session,
  next: Pick<NextCall, "system" | "prompt">,
  settings: CompactionSettings,
): boolean => {
  const own = tokensOfBytes(session.message_bytes);
  return own + estimateTokens([{ content: next.prompt }, { content: next.system ?? "" }]) >= settings.token_threshold;
};

/** A model call that is about to be made in a session. */
export interface NextCall {
  readonly prompt: string;
  readonly system: string | null;
  /** The `auto_compact` of the call's node. */
  readonly auto_compact: JsonObject;
  /** How many tokens the model takes; null where that is not known. */
  readonly context_tokens: number | null;
  /** What was answered to what the compaction asked so far, in order. */
  readonly answers: readonly Json[];
}

const NOTHING_TO_DO: SessionCompaction = { events: [], ask: null };

/**
 * Compacts a session before a model call where its node says so and it has grown too long, also between the steps of an agent's
 * loop (spec/workflow 14.4). The error is that of a wrong setting and fails the stage.
 */
export const compactBeforeCall = (
  session: Session,
  next: NextCall,
  context: Context,
): Result<SessionCompaction, string> => {
  if (!compactionIsEnabled(next.auto_compact)) return ok(NOTHING_TO_DO);
  const settings = compactionSettings(next.auto_compact, next.context_tokens);
  if (!settings.ok) return settings;
  if (!sessionCompactionDue(session, next, settings.value)) return ok(NOTHING_TO_DO);
  return ok(compactSession(session, { mode: "preflight", settings: settings.value, answers: next.answers }, context));
};

/** `agent_session_compact` (spec/workflow 14.3). */
export const compactManually = (
  session: Session,
  command: Extract<SessionOperation, { readonly op: "compact" }>,
  context: Context,
): Result<SessionCompaction, Rejection> => {
  const settings = compactOptions(command.options);
  if (!settings.ok) return err(reject("invalid_request", settings.error).rejection);
  const { expected_length: expected = session.messages.length } = command;
  if (expected !== session.messages.length)
    return err(
      reject(
        "invalid_transition",
        `agent_session_compact: session '${session.id}' has ${session.messages.length} messages, not ${expected}: start again`,
      ).rejection,
    );
  const request = { mode: "manual", settings: settings.value, answers: command.answers ?? [] } as const;
  return ok(compactSession(session, request, context));
};
