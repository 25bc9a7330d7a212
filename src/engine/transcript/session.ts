import { AppendList } from "../../lib/append.ts";
import type { Json, JsonObject } from "../../lib/json.ts";
import { PersistentMap } from "../../lib/persistent-map.ts";
import type { TranscriptAsset, TranscriptEvent, TranscriptState } from "../../schema/transcript.ts";
import { redactTranscript } from "../prompt/visibility.ts";
import type { Message } from "./message.ts";
import { makeTranscript } from "./transcript.ts";

/** A conversation that stages of a run share (spec/workflow 14.3). Appending to it rewrites nothing. */
export interface Session {
  readonly id: string;
  readonly messages: AppendList<Message>;
  /** Bytes of the messages' texts, kept so that estimating a long conversation does not read it. */
  readonly message_bytes: number;
  /** Events beside those that mirror the messages. */
  readonly extra_events: AppendList<TranscriptEvent>;
  readonly assets: AppendList<TranscriptAsset>;
  readonly parent_id: string | null;
  readonly child_ids: AppendList<string>;
  /** Where `fork_at` cut the source: the index after the last message event that was kept. */
  readonly branched_at_event_index: number | null;
  readonly state: TranscriptState;
  readonly summary: string | null;
  /** How often messages were taken away or replaced: until then the place of a message is the same. */
  readonly revision: number;
}

/** The sessions of a run by id. */
export type Sessions = PersistentMap<Session>;

/** How many sessions of a run may be open at once. */
export const MAX_SESSIONS = 128;

/** A run without sessions. */
export const noSessions = (): Sessions => PersistentMap.empty<Session>();

/** A session without messages. */
export const emptySession = (id: string): Session => ({
  id,
  messages: AppendList.empty,
  message_bytes: 0,
  extra_events: AppendList.empty,
  assets: AppendList.empty,
  parent_id: null,
  child_ids: AppendList.empty,
  branched_at_event_index: null,
  state: "active",
  summary: null,
  revision: 0,
});

/** The session with this id, or undefined. */
export const sessionIn = (sessions: Sessions, id: string | null | undefined): Session | undefined =>
  id == null ? undefined : sessions.get(id);

/** Whether a session exists, which `require_transcript` asks for (spec/workflow 8.1). */
export const sessionExists = (sessions: Sessions, id: string | null | undefined): boolean =>
  sessionIn(sessions, id) !== undefined;

const lineageOf = (session: Session): JsonObject =>
  session.parent_id === null ? {} : { parent_session_id: session.parent_id };

/** The transcript of a session as its readers may see it (spec/workflow 14.1, 14.6). */
export const transcriptOf = (session: Session, visibility: string | null = null): JsonObject => {
  const transcript = makeTranscript({
    id: session.id,
    messages: session.messages.toArray(),
    extra_events: session.extra_events.toArray(),
    assets: session.assets.toArray(),
    summary: session.summary,
    metadata: lineageOf(session),
    state: session.state,
  });
  return redactTranscript(transcript as unknown as Json, visibility) as JsonObject;
};

/** The transcript of a session with its lineage (spec/workflow 14.3, `agent_session_snapshot`). */
export const snapshotOf = (session: Session, visibility: string | null = null): JsonObject => ({
  ...transcriptOf(session, visibility),
  parent_id: session.parent_id,
  child_ids: session.child_ids.toArray(),
  branched_at_event_index: session.branched_at_event_index,
});

/** Where a session comes from and what came from it; null for an unknown id (spec/workflow 14.3). */
export const ancestryOf = (
  sessions: Sessions,
  id: string,
): { readonly parent_id: string | null; readonly child_ids: readonly string[]; readonly root_id: string } | null => {
  const session = sessions.get(id);
  if (session === undefined) return null;
  // A closed parent ends the way up; an id that was closed and taken again could lead around in a circle.
  const seen = new Set<string>([id]);
  let root = session;
  for (;;) {
    const parent = sessionIn(sessions, root.parent_id);
    if (parent === undefined || seen.has(parent.id)) break;
    seen.add(parent.id);
    root = parent;
  }
  return { parent_id: session.parent_id, child_ids: session.child_ids.toArray(), root_id: root.id };
};
