import type { JsonObject } from "../../lib/json.ts";
import { evolveSessions } from "./evolve-sessions.ts";
import type { Message } from "./message.ts";
import type { Sessions } from "./session.ts";

/** What a completed model stage adds to its conversation: its prompt and its answer (spec/workflow 14.3). */
export const messagesOfStage = (prompt: string, result: JsonObject): readonly Message[] => [
  { role: "user", content: prompt },
  { role: "assistant", content: typeof result["text"] === "string" ? result["text"] : "" },
];

/**
 * The sessions after messages that another event of the run already holds, such as a completed stage or an agent's step: they
 * are derived when that event is folded, so that the journal never holds a message twice. Without such a session nothing
 * changes.
 */
export const appendMessages = (sessions: Sessions, sessionId: string | null, messages: readonly Message[]): Sessions =>
  sessionId === null || messages.length === 0
    ? sessions
    : evolveSessions(sessions, { type: "session_messages_added", session_id: sessionId, messages });
