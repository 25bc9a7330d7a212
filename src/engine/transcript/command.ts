import type { Json, JsonObject } from "../../lib/json.ts";
import type { CompactionAsk } from "./compaction.ts";

/** What can be done with the sessions of a run (spec/workflow 14.3). */
export type SessionOperation =
  | { readonly op: "open"; readonly session_id?: string }
  | { readonly op: "reset"; readonly session_id: string }
  | { readonly op: "fork"; readonly session_id: string; readonly target_id?: string }
  | { readonly op: "fork_at"; readonly session_id: string; readonly keep_first: number; readonly target_id?: string }
  | { readonly op: "trim"; readonly session_id: string; readonly keep_last: number }
  | { readonly op: "inject"; readonly session_id: string; readonly message: Json }
  | {
      readonly op: "compact";
      readonly session_id: string;
      readonly options: JsonObject;
      /** What was answered to what the compaction asked so far, in order. */
      readonly answers?: readonly Json[];
      /** How long the session was when it asked; the answers of another conversation are refused. */
      readonly expected_length?: number;
    }
  | { readonly op: "close"; readonly session_id: string };

/** A command about one session of a run. */
export type SessionCommand = { readonly type: "session" } & SessionOperation;

/** Answer of a session command. */
export interface SessionReply {
  readonly type: "session";
  readonly session_id: string;
  /** Messages of the session after the command; 0 for one that was closed. */
  readonly length: number;
  /** Set when nothing was done yet: repeat the command with the answer and this length. */
  readonly ask?: CompactionAsk;
}
