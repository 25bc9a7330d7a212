import type { Json } from "../../lib/json.ts";
import { type Session, transcriptOf } from "../transcript/session.ts";

/**
 * The transcript of a run after a stage: a value, or a session as it stood then. A session is shared with all its later
 * versions, so that no conversation is copied from stage to stage.
 */
export type TranscriptAfter =
  | { readonly value: Json }
  | { readonly session: Session; readonly visibility: string | null };

/** The transcript as a value (spec/workflow 14.1, 14.6). */
export const transcriptValue = (transcript: TranscriptAfter): Json =>
  "value" in transcript ? transcript.value : transcriptOf(transcript.session, transcript.visibility);
