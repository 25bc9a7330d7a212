import type { JsonObject } from "../../lib/json.ts";
import { stableUuid } from "../../lib/stable-uuid.ts";
import type { WorkerEvent } from "./event.ts";
import { resumeMetadata, suspensionMetadata } from "./span-metadata.ts";
import type { SpanLink, Worker, WorkerState, WorkerSuspension } from "./state.ts";

const hex = (text: string): string => stableUuid(text).replaceAll("-", "");

const SPAN_DIGITS = 16;

const spanId = (text: string): string => hex(`span:${text}`).slice(0, SPAN_DIGITS);

/** The trace that everything a run or a worker does belongs to; W3C form, and the same for ever. */
const traceOf = (id: string): string => hex(`trace:${id}`);

/** The link to the span of a suspension, by which a resumption finds it (spec/workers 17.1, 19). */
export const suspensionLink = (worker: Pick<Worker, "id">, at: string): SpanLink => ({
  trace_id: traceOf(worker.id),
  span_id: spanId(`suspension:${worker.id}:${at}`),
  attributes: { "harn.link.kind": "suspension" },
});

/** The link to the stage of the run that waits for the worker; null where none does. */
export const pipelineLink = ({ parent }: Pick<Worker, "parent">): SpanLink | null =>
  parent === null
    ? null
    : {
        trace_id: traceOf(parent.run_id),
        span_id: spanId(`stage:${parent.stage_id}`),
        attributes: { "harn.link.kind": "pipeline" },
      };

/** A span of a worker's life: a suspension, or a resumption (spec/workers 19). Times are RFC 3339. */
export interface WorkerSpan {
  readonly kind: "suspension" | "resume";
  readonly name: string;
  readonly trace_id: string;
  readonly span_id: string;
  /** null for a span of its own. */
  readonly parent_span_id: string | null;
  readonly started_at: string;
  /** null while it goes on. */
  readonly ended_at: string | null;
  readonly metadata: JsonObject;
  readonly links: readonly SpanLink[];
}

const linksOf = ({ prior_span_link: prior, pipeline_span_link: pipeline }: WorkerSuspension): readonly SpanLink[] =>
  [prior, pipeline].filter((link) => link !== null);

const suspensionSpan = (worker: Worker, suspension: WorkerSuspension, panic: boolean): WorkerSpan | null => {
  const { prior_span_link: own, pipeline_span_link: pipeline } = suspension;
  if (own === null) return null;
  return {
    kind: "suspension",
    name: `${panic ? "panic_suspend" : "suspend"} ${worker.id}`,
    trace_id: own.trace_id,
    span_id: own.span_id,
    parent_span_id: pipeline?.span_id ?? null,
    started_at: suspension.suspended_at,
    ended_at: suspension.quiesced_at,
    metadata: suspensionMetadata({
      worker_id: worker.id,
      reason: suspension.reason,
      initiator: suspension.initiator,
      has_conditions: suspension.conditions !== null,
      pipeline_span_id: pipeline?.span_id ?? null,
      parent_worker_id: worker.parent_worker_id,
    }),
    links: [],
  };
};

/** The resumption is a trace of its own, which links to what it ends: what was asked for it never holds (spec/workers 19). */
const resumeSpan = (worker: Worker, event: Extract<WorkerEvent, { readonly type: "worker_resumed" }>): WorkerSpan => {
  const links = worker.suspension === null ? [] : linksOf(worker.suspension);
  const at = `resume:${worker.id}:${event.at}`;
  return {
    kind: "resume",
    name: `resume ${worker.id}`,
    trace_id: traceOf(at),
    span_id: spanId(at),
    parent_span_id: null,
    started_at: event.at,
    ended_at: event.at,
    metadata: resumeMetadata({
      worker_id: worker.id,
      initiator: event.initiator,
      continue_transcript: event.continue_transcript,
      had_resume_input: event.input !== null,
      linked_suspension_count: links.length,
    }),
    links,
  };
};

const isPanic = ({ initiator, conditions }: WorkerSuspension): boolean =>
  initiator === "triggered" && conditions === null;

/** The span that an event opened; null for an event without one. `before` and `after` are the worker around it. */
export const spanOf = (event: WorkerEvent, before: WorkerState, after: WorkerState): WorkerSpan | null => {
  if (event.type === "worker_resumed") return before === null ? null : resumeSpan(before, event);
  const isBorn = event.type === "worker_spawned" && after?.status === "suspended";
  if ((event.type !== "worker_suspended" && !isBorn) || after?.suspension == null) return null;
  return suspensionSpan(after, after.suspension, isPanic(after.suspension));
};
