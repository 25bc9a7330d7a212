import type { JsonObject } from "../../lib/json.ts";
import type { Sessions } from "../transcript/session.ts";
import { appendMessages, messagesOfStage } from "../transcript/stage-messages.ts";
import type { StageCompleted } from "./event.ts";
import type { TranscriptAfter } from "./run-transcript.ts";
import { isOwnSession } from "./session-id.ts";
import type { PreparedStage, Run } from "./state.ts";

/** What a completed model call adds to the session it shares with others; an agent loop has recorded its messages itself. */
const talked = (
  sessions: Sessions,
  unit: PreparedStage,
  completed: { readonly branch: string | null; readonly result: JsonObject },
): Sessions =>
  unit.mode !== "llm" || unit.work.type !== "model" || completed.branch === "error"
    ? sessions
    : appendMessages(sessions, unit.session_id, messagesOfStage(unit.work.text.prompt, completed.result));

/** The sessions without those that these units have for themselves. */
export const withoutOwn = (sessions: Sessions, units: readonly PreparedStage[]): Sessions =>
  units.reduce((left, { session_id: id }) => (id !== null && isOwnSession(id) ? left.delete(id) : left), sessions);

/** The sessions once a unit is completed: what it said is in the one it shares, and one of its own is gone. */
export const sessionsAfter = (
  sessions: Sessions,
  unit: PreparedStage,
  completed: { readonly branch: string | null; readonly result: JsonObject },
): Sessions =>
  unit.session_id !== null && isOwnSession(unit.session_id)
    ? sessions.delete(unit.session_id)
    : talked(sessions, unit, completed);

/**
 * The run's transcript after a stage, from the sessions as the stage leaves them; static nodes leave it as it was
 * (spec/workflow 14.2). The transcript of a session that ends with its stage is what the session held before.
 */
export const transcriptAfter = (run: Run, after: Sessions, event: StageCompleted): TranscriptAfter => {
  if (event.transcript !== undefined) return { value: event.transcript };
  const { transcript_from: from } = event;
  if (from === undefined) return run.transcript;
  const session = after.get(from.session_id) ?? run.sessions.get(from.session_id);
  return session === undefined ? { value: null } : { session, visibility: from.visibility };
};
