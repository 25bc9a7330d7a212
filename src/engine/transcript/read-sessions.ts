import type { JsonObject } from "../../lib/json.ts";
import type { TranscriptState } from "../../schema/transcript.ts";
import { tokensOfBytes } from "./message.ts";
import { ancestryOf, type Session, type Sessions, snapshotOf } from "./session.ts";

/** A session in lists. */
export interface SessionRow {
  readonly session_id: string;
  readonly state: TranscriptState;
  readonly length: number;
  readonly estimated_tokens: number;
  readonly parent_id: string | null;
  readonly child_ids: readonly string[];
}

/** What is asked for: all sessions, or the snapshot of one. */
export interface SessionQuery {
  readonly session_id: string | null;
  /** `public` leaves out tool results and internal events (spec/workflow 14.6). */
  readonly visibility: string | null;
}

/** The sessions of a run, or one of them with its ancestry; null for a session that is not there. */
export interface SessionsView {
  readonly items: readonly SessionRow[];
  readonly snapshot: JsonObject | null;
}

const rowOf = (session: Session): SessionRow => ({
  session_id: session.id,
  state: session.state,
  length: session.messages.length,
  estimated_tokens: tokensOfBytes(session.message_bytes),
  parent_id: session.parent_id,
  child_ids: session.child_ids.toArray(),
});

/** Reads sessions for the API (spec/workflow 14.3). */
export const readSessions = (sessions: Sessions, query: SessionQuery): SessionsView => {
  const { session_id: id, visibility } = query;
  if (id === null) return { items: sessions.entries().map(([, session]) => rowOf(session)), snapshot: null };
  const session = sessions.get(id);
  if (session === undefined) return { items: [], snapshot: null };
  const root = ancestryOf(sessions, id)?.root_id ?? id;
  return { items: [rowOf(session)], snapshot: { ...snapshotOf(session, visibility), root_id: root } };
};
