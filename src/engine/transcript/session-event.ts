import type { JsonObject } from "../../lib/json.ts";
import type { TranscriptEvent, TranscriptState } from "../../schema/transcript.ts";
import type { Message } from "./message.ts";

/** A session was opened, empty. */
export interface SessionOpened {
  readonly type: "session_opened";
  readonly session_id: string;
}

/** Messages, or events beside them, were added at the end of a session. */
export interface SessionMessagesAdded {
  readonly type: "session_messages_added";
  readonly session_id: string;
  readonly messages: readonly Message[];
  /** Such as tool executions and permissions; absent for none. */
  readonly extra_events?: readonly TranscriptEvent[];
  /** Where the session stands from now on; absent when it stays as it is. */
  readonly state?: TranscriptState;
}

/** A session lost its messages and kept its id and its lineage. */
export interface SessionReset {
  readonly type: "session_reset";
  readonly session_id: string;
}

/** A session was copied under another id; with `keep_first` only its first messages. */
export interface SessionForked {
  readonly type: "session_forked";
  readonly source_id: string;
  readonly session_id: string;
  readonly keep_first: number | null;
}

/** Only the last messages of a session were kept. */
export interface SessionTrimmed {
  readonly type: "session_trimmed";
  readonly session_id: string;
  readonly keep_last: number;
}

/** Messages from `keep_first` on, so many as `archived` says, were replaced by one that sums them up. */
export interface SessionCompacted {
  readonly type: "session_compacted";
  readonly session_id: string;
  readonly keep_first: number;
  readonly archived: number;
  readonly summary: string;
  /** Id and metadata of the transcript's event (spec/workflow 14.4). */
  readonly event_id: string;
  readonly metadata: JsonObject;
  /** The asset that keeps the transcript as it was before; null for none. */
  readonly snapshot_asset_id: string | null;
}

/** A session was forgotten. */
export interface SessionClosed {
  readonly type: "session_closed";
  readonly session_id: string;
}

/**
 * Everything that can happen to the sessions of a run. Each event holds only what changed, never a whole conversation; the
 * journal that embeds them adds version and moment.
 */
export type SessionEvent =
  | SessionOpened
  | SessionMessagesAdded
  | SessionReset
  | SessionForked
  | SessionTrimmed
  | SessionCompacted
  | SessionClosed;
