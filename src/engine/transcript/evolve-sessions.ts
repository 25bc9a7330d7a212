import { AppendList } from "../../lib/append.ts";
import type { Json } from "../../lib/json.ts";
import { type Message, messageBytes } from "./message.ts";
import { emptySession, type Session, type Sessions, transcriptOf } from "./session.ts";
import type { SessionCompacted, SessionEvent, SessionForked, SessionMessagesAdded } from "./session-event.ts";
import { extraEvent, makeAsset } from "./transcript.ts";

const bytesOf = (messages: readonly Message[]): number =>
  messages.reduce((sum, message) => sum + messageBytes(message), 0);

const withMessages = (session: Session, messages: AppendList<Message>): Session => ({
  ...session,
  messages,
  message_bytes: bytesOf(messages.toArray()),
  revision: session.revision + 1,
});

/** What stays of the events when messages are rebuilt: the record of compactions (spec/workflow 14.3). */
const rebuilt = (session: Session, messages: AppendList<Message>): Session => ({
  ...withMessages(session, messages),
  extra_events: AppendList.of(session.extra_events.toArray().filter(({ kind }) => kind === "compaction")),
});

const added = (session: Session, event: SessionMessagesAdded): Session => ({
  ...session,
  messages: session.messages.append(event.messages),
  message_bytes: session.message_bytes + bytesOf(event.messages),
  extra_events: session.extra_events.append(event.extra_events ?? []),
  state: event.state ?? session.state,
});

const copyOf = (source: Session, { session_id: id, keep_first: keepFirst }: SessionForked): Session => {
  const lineage = { id, parent_id: source.id, child_ids: AppendList.empty, branched_at_event_index: null };
  const copy: Session = { ...source, ...lineage };
  if (keepFirst === null) return copy;
  const messages = source.messages.prefix(keepFirst);
  return { ...rebuilt(copy, messages), branched_at_event_index: messages.length };
};

const forked = (sessions: Sessions, event: SessionForked): Sessions => {
  const source = sessions.get(event.source_id);
  if (source === undefined) return sessions;
  const parent = { ...source, child_ids: source.child_ids.append([event.session_id]) };
  return sessions.set(source.id, parent).set(event.session_id, copyOf(source, event));
};

const mergedSummary = (session: Session, event: SessionCompacted): string =>
  event.metadata["mode"] === "manual" && session.summary !== null
    ? `${session.summary}\n\n${event.summary}`
    : event.summary;

/** The transcript before a compaction; earlier ones of its kind are not packed into it again. */
const sourceAsset = (session: Session, id: string) =>
  makeAsset({
    id,
    kind: "compaction_source_transcript",
    data: transcriptOf({ ...session, assets: AppendList.empty }) as unknown as Json,
  });

const compacted = (session: Session, event: SessionCompacted): Session => {
  const { keep_first: keepFirst, archived, summary, snapshot_asset_id: assetId } = event;
  const kept = session.messages.slice(keepFirst + archived);
  const messages = AppendList.of([
    ...session.messages.slice(0, keepFirst),
    { role: "user", content: summary } as Message,
    ...kept,
  ]);
  const after = rebuilt(session, messages);
  const record = extraEvent("compaction", {
    id: event.event_id,
    text: `Transcript compacted via ${String(event.metadata["strategy"])}`,
    metadata: event.metadata,
  });
  return {
    ...after,
    extra_events: after.extra_events.append([record]),
    assets: assetId === null ? session.assets : session.assets.append([sourceAsset(session, assetId)]),
    summary: mergedSummary(session, event),
  };
};

const evolveSession = (session: Session, event: Exclude<SessionEvent, SessionForked>): Session | null => {
  switch (event.type) {
    case "session_opened":
      return session;
    case "session_messages_added":
      return added(session, event);
    case "session_reset":
      return {
        ...emptySession(session.id),
        parent_id: session.parent_id,
        child_ids: session.child_ids,
        branched_at_event_index: session.branched_at_event_index,
        revision: session.revision + 1,
      };
    case "session_trimmed": {
      const { messages } = session;
      if (messages.length <= event.keep_last) return rebuilt(session, messages);
      return rebuilt(session, AppendList.of(messages.slice(messages.length - event.keep_last)));
    }
    case "session_compacted":
      return compacted(session, event);
    case "session_closed":
      return null;
    default:
      // An event of a newer version: what was recorded is never refused.
      return session;
  }
};

/** Folds one event into the sessions of a run; total: what names no session changes nothing. */
export const evolveSessions = (sessions: Sessions, event: SessionEvent): Sessions => {
  if (event.type === "session_forked") return forked(sessions, event);
  const session = sessions.get(event.session_id);
  if (session === undefined)
    return event.type === "session_opened" ? sessions.set(event.session_id, emptySession(event.session_id)) : sessions;
  const after = evolveSession(session, event);
  if (after === null) return sessions.delete(event.session_id);
  return after === session ? sessions : sessions.set(after.id, after);
};
