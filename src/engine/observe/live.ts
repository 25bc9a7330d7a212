import { hasMarker, sliceMarked } from "../../lib/body-marker.ts";
import type { Json, JsonObject } from "../../lib/json.ts";
import { rfc3339, type Timestamp } from "../../lib/time.ts";
import { lifecycleData } from "./live-lifecycle.ts";
import { requestEventData, requestEventType } from "./live-request.ts";
import type {
  AgentStepRecorded,
  AttemptEnded,
  BranchPrepared,
  BranchSettled,
  RunEvent,
  StageCompleted,
} from "../run/event.ts";

/** One event of a run as clients see it live. Ids order by sequence, then position. */
export interface LiveEvent {
  /** `<journal sequence>.<position>`, to resume after. */
  readonly id: string;
  readonly type: string;
  readonly at: string;
  readonly data: JsonObject;
}

/** Text of a stage for whoever watches; it is shown and not stored. */
export interface LiveText {
  readonly stage_id: string;
  readonly node_id: string;
  readonly iteration: number;
  readonly text: string;
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

const branchData = (event: BranchPrepared | BranchSettled): JsonObject => {
  const { stage_id, map_stage_id, index } = event;
  const branch = { stage_id, map_stage_id, index };
  if (event.type === "branch_prepared") return { ...branch, mode: event.mode };
  const visible_text = excerpt(event.result["visible_text"] ?? event.result["text"]);
  return { ...branch, status: event.status, error: event.error, visible_text };
};

const stepData = ({
  stage_id,
  iteration,
  messages = [],
  tool_call: call,
  usage,
  compaction,
}: AgentStepRecorded): JsonObject => ({
  stage_id,
  iteration,
  roles: messages.map((message) => message["role"] ?? null),
  ...(call === undefined
    ? {}
    : {
        tool_call: {
          call_id: call.call_id,
          tool_name: call.tool_name,
          status: call.status,
          duration_ms: call.duration_ms,
        },
      }),
  ...(usage === undefined ? {} : { usage: usage as unknown as JsonObject }),
  ...(compaction === undefined ? {} : { compacted: compaction.archived }),
});

const completedData = (event: StageCompleted): JsonObject => {
  const { stage_id, node_id, status, outcome, branch, error } = event;
  const visible_text = excerpt(event.result["visible_text"] ?? event.result["text"]);
  return { stage_id, node_id, status, outcome, branch, error, visible_text, usage: event.usage as JsonObject | null };
};

const endedData = ({ stage_id, reason, record, retry_at_ms: retryAt }: AttemptEnded): JsonObject => ({
  stage_id,
  reason,
  attempt: record.attempt,
  error: record.error,
  retry_at: rfc3339(retryAt),
});

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
    case "agent_step_recorded":
      return stepData(event);
    case "stage_parked":
      return { stage_id: event.stage_id, pending: event.pending as unknown as Json };
    case "call_answered":
      return { stage_id: event.stage_id, call_id: event.call_id };
    case "branch_prepared":
    case "branch_settled":
      return branchData(event);
    case "stage_retired":
      return { stage_id: event.stage_id };
    case "message_heard":
      return { stage_id: event.stage_id, seq: event.seq };
    case "request_recorded":
      return requestEventData(event);
    case "worker_update":
      return { stage_id: event.stage_id, ...(event.update as unknown as JsonObject) };
    case "attempt_started":
      return { stage_id: event.stage_id, attempt: event.attempt, holder: event.holder };
    case "attempt_handed_over":
      return { stage_id: event.stage_id, attempt: event.attempt };
    case "attempt_ended":
      return endedData(event);
    case "stage_completed":
      return completedData(event);
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
    default:
      return "session_id" in event ? { session_id: event.session_id } : lifecycleData(event);
  }
};

/** What an event is called: those of a request to people have the names of its audit (spec/workers 24.1). */
const typeOf = (event: RunEvent): string => (event.type === "request_recorded" ? requestEventType(event) : event.type);

/** Journal entries as live events after an event id, at most `limit` of them. */
export const liveEvents = (entries: readonly Entry[], after: string | null, limit: number): readonly LiveEvent[] => {
  const start = after === null ? null : parseEventId(after);
  const events: LiveEvent[] = [];
  for (const entry of entries)
    for (const [index, event] of entry.events.entries()) {
      if (start !== null && (entry.seq < start.seq || (entry.seq === start.seq && index <= start.index))) continue;
      if (events.length >= limit) return events;
      events.push({ id: `${entry.seq}.${index}`, type: typeOf(event), at: event.at, data: publicData(event) });
    }
  return events;
};
