import type { Message } from "./message.ts";
import { evolveSessions } from "./evolve-sessions.ts";
import { noSessions, type Sessions } from "./session.ts";

/** A conversation that another run begins with. */
export interface SessionSeed {
  readonly session_id: string;
  readonly messages: readonly Message[];
}

/** The conversations of a run that several stages may share; those of a single stage end with it. */
export const sessionSeeds = (sessions: Sessions): readonly SessionSeed[] =>
  sessions
    .entries()
    .filter(([id]) => !id.startsWith("workflow_stage_"))
    .map(([session_id, session]) => ({ session_id, messages: session.messages.toArray() }));

/** The sessions that a run begins with. */
export const seededSessions = (seeds: readonly SessionSeed[]): Sessions =>
  seeds.reduce((sessions, { session_id, messages }) => {
    const opened = evolveSessions(sessions, { type: "session_opened", session_id });
    return evolveSessions(opened, { type: "session_messages_added", session_id, messages });
  }, noSessions());
