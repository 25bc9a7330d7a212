import { hasMarker, sliceMarked } from "../../lib/body-marker.ts";
import type { JsonObject } from "../../lib/json.ts";
import { rfc3339, type Timestamp } from "../../lib/time.ts";
import type { RunEvent } from "../run/event.ts";

/** One event of a run as clients see it live. Ids order by sequence, then position. */
export interface LiveEvent {
  /** `<journal sequence>.<position>`, to resume after. */
  readonly id: string;
  readonly type: string;
  readonly at: string;
  readonly data: JsonObject;
}

interface Entry {
  readonly seq: number;
  readonly at_ms: Timestamp;
  readonly events: readonly RunEvent[];
}

const ID = /^(\d{1,15})\.(\d{1,6})$/;

/** The journal sequence and position of an event id; `null` for one that is no event id. */
export const parseEventId = (id: string): { readonly seq: number; readonly index: number } | null => {
  const match = ID.exec(id);
  return match === null ? null : { seq: Number(match[1]), index: Number(match[2]) };
};

const EXCERPT = 2_000;

const excerpt = (text: unknown): string | null => {
  if (typeof text !== "string") return null;
  return hasMarker(text) ? sliceMarked(text, 0, EXCERPT) : text.slice(0, EXCERPT);
};

/** What clients may see of an event: never an attempt token, never a whole graph, prompt or body. */
const publicData = (event: RunEvent): JsonObject => {
  switch (event.type) {
    case "run_created":
      return { run_id: event.run_id, workflow_id: event.graph.id, task: excerpt(event.task), drive: event.drive };
    case "checkpoint_taken":
      return { checkpoint_id: event.checkpoint_id, reason: event.reason, last_stage_id: event.last_stage_id };
    case "stage_prepared": {
      const { stage_id, node_id, kind, mode, attempt } = event;
      return { stage_id, node_id, kind, mode, attempt };
    }
    case "attempt_started":
      return { attempt: event.attempt, holder: event.holder };
    case "attempt_handed_over":
      return { attempt: event.attempt };
    case "attempt_ended":
      return {
        reason: event.reason,
        attempt: event.record.attempt,
        error: event.record.error,
        retry_at: rfc3339(event.retry_at_ms),
      };
    case "stage_completed": {
      const { stage_id, node_id, status, outcome, branch, error } = event;
      const visible = excerpt(event.result["visible_text"] ?? event.result["text"]);
      return {
        stage_id,
        node_id,
        status,
        outcome,
        branch,
        error,
        visible_text: visible,
        usage: event.usage as JsonObject | null,
      };
    }
    case "transitions_recorded":
      return {
        stage_id: event.stage_id,
        from_node_id: event.from_node_id,
        to_node_ids: event.edges.map((edge) => edge.to),
      };
    case "node_requeued":
      return { node_id: event.node_id };
    case "run_finalized":
      return { status: event.status };
    case "run_resumed":
      return { max_steps: event.max_steps };
    case "run_failed":
      return { error: event.error };
    case "run_paused":
    case "run_cancelled":
      return { reason: event.reason };
  }
};

/** Journal entries as live events after an event id, at most `limit` of them. */
export const liveEvents = (entries: readonly Entry[], after: string | null, limit: number): readonly LiveEvent[] => {
  const start = after === null ? null : parseEventId(after);
  const events: LiveEvent[] = [];
  for (const entry of entries)
    for (const [index, event] of entry.events.entries()) {
      if (start !== null && (entry.seq < start.seq || (entry.seq === start.seq && index <= start.index))) continue;
      if (events.length >= limit) return events;
      events.push({ id: `${entry.seq}.${index}`, type: event.type, at: event.at, data: publicData(event) });
    }
  return events;
};
