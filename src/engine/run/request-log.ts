import type { Rejection } from "../machine.ts";
import { lifecycleMachine } from "../finish/machine.ts";
import type { Asking } from "../hitl/envelope.ts";
import { recordOf } from "../hitl/log.ts";
import { hitlMachine } from "../hitl/machine.ts";
import type { HitlCommand, HitlEvent, HitlReply } from "../hitl/state.ts";
import type { Draft } from "./draft.ts";
import { requestRow } from "./request-view.ts";

/** Takes into the run's audit what people answered, and how each request ended (spec/workers 24.1). */
const audit = (draft: Draft, asking: Asking, events: readonly HitlEvent[]): void => {
  for (const event of events.filter(({ type }) => type !== "requested")) {
    const { kind, payload } = recordOf(asking, event);
    const { lifecycle, run_id: pipeline_id } = draft.run;
    const decision = lifecycleMachine.decide(
      lifecycle,
      { type: "emit_audit", kind, payload, pipeline_id },
      draft.context,
    );
    if (decision.ok) for (const entry of decision.events) draft.emit(entry);
  }
};

/** Gives a request of the run a command; what happens stands in the run's journal, and the list of requests is told. */
export const tellRequest = (
  draft: Draft,
  { request_id: id, stage_id }: { readonly request_id: string; readonly stage_id: string },
  command: HitlCommand,
): HitlReply | Rejection => {
  const before = draft.run.requests.get(id)?.request ?? null;
  const decision = hitlMachine.decide(before, command, draft.context);
  if (!decision.ok) return decision.rejection;
  for (const record of decision.events) draft.emit({ type: "request_recorded", stage_id, request_id: id, record });
  const changed = draft.run.requests.get(id);
  if (changed !== undefined) audit(draft, changed.request.asking, decision.events);
  if (changed !== undefined && changed.request.status !== before?.status) draft.indexRequest(requestRow(changed));
  return decision.reply;
};

/** Calls off what people are asked, for a run that is about to be over (spec/workers 24.8). */
export const cancelRequests = (draft: Draft): void => {
  for (const { work, stage_id, settled } of draft.run.open)
    if (work.type === "person" && settled === null)
      tellRequest(draft, { request_id: work.request_id, stage_id }, { type: "cancel", reason: "upstream_cancelled" });
};
