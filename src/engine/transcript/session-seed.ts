import { AppendList } from "../../lib/append.ts";
import type { Message } from "./message.ts";
import { evolveSessions } from "./evolve-sessions.ts";
import { noSessions, type Session, type Sessions } from "./session.ts";
import type { TranscriptAsset, TranscriptEvent } from "../../schema/transcript.ts";

/** What of a conversation does not follow from its messages. */
interface SessionPast extends Pick<
  Session,
  "parent_id" | "branched_at_event_index" | "state" | "summary" | "revision"
> {
  readonly extra_events: readonly TranscriptEvent[];
  readonly assets: readonly TranscriptAsset[];
  readonly child_ids: readonly string[];
}

/** A conversation that another run begins with. */
export interface SessionSeed {
  readonly session_id: string;
  readonly messages: readonly Message[];
  /** Compactions, lineage and state; absent where only messages are known. */
  readonly past?: SessionPast;
}

const pastOf = (session: Session): SessionPast => {
  const { parent_id, branched_at_event_index, state, summary, revision } = session;
  const [extra_events, assets] = [session.extra_events.toArray(), session.assets.toArray()];
  const child_ids = session.child_ids.toArray();
  return { parent_id, branched_at_event_index, state, summary, revision, extra_events, assets, child_ids };
};

/** The conversations of a run that several stages may share; those of a single stage end with it. */
export const sessionSeeds = (sessions: Sessions): readonly SessionSeed[] =>
  sessions
    .entries()
    .filter(([id]) => !id.startsWith("workflow_stage_"))
    .map(([session_id, session]) => ({ session_id, messages: session.messages.toArray(), past: pastOf(session) }));

const withPast = (session: Session, past: SessionPast): Session => ({
  ...session,
  ...past,
  extra_events: AppendList.of(past.extra_events),
  assets: AppendList.of(past.assets),
  child_ids: AppendList.of(past.child_ids),
});

/** The sessions that a run begins with. */
export const seededSessions = (seeds: readonly SessionSeed[]): Sessions =>
  seeds.reduce((sessions, { session_id, messages, past }) => {
    const opened = evolveSessions(sessions, { type: "session_opened", session_id });
    const filled = evolveSessions(opened, { type: "session_messages_added", session_id, messages });
    const session = filled.get(session_id);
    return past === undefined || session === undefined ? filled : filled.set(session_id, withPast(session, past));
  }, noSessions());
