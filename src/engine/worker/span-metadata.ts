import type { JsonObject } from "../../lib/json.ts";

/** What is known of a suspension when its span opens. */
export interface SuspensionMark {
  readonly worker_id: string;
  readonly reason: string;
  readonly initiator: string;
  readonly has_conditions: boolean;
  /** The span that was active when the suspension was asked for; null for none. */
  readonly pipeline_span_id: string | null;
  readonly parent_worker_id: string | null;
}

/** The metadata of a suspension's span; what is not known is left out (spec/workers 19). */
export const suspensionMetadata = (mark: SuspensionMark): JsonObject => {
  const { pipeline_span_id: span, parent_worker_id: parent } = mark;
  return {
    worker_id: mark.worker_id,
    handle: mark.worker_id,
    reason: mark.reason,
    initiator: mark.initiator,
    has_conditions: mark.has_conditions,
    ...(span === null ? {} : { pipeline_span_id: span, pipeline_id: span }),
    ...(parent === null ? {} : { parent_worker_id: parent }),
  };
};

/** What is known of a resumption when its span opens; never what was said, only whether something was (spec/workers 19). */
export interface ResumeMark {
  readonly worker_id: string;
  readonly initiator: string;
  readonly continue_transcript: boolean;
  readonly had_resume_input: boolean;
  readonly linked_suspension_count: number;
}

/** The metadata of a resumption's span (spec/workers 19). */
export const resumeMetadata = (mark: ResumeMark): JsonObject => ({
  worker_id: mark.worker_id,
  handle: mark.worker_id,
  initiator: mark.initiator,
  continue_transcript: mark.continue_transcript,
  had_resume_input: mark.had_resume_input,
  linked_suspension_count: mark.linked_suspension_count,
});
