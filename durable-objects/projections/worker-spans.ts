import { evolve } from "../../src/engine/worker/evolve.ts";
import { spanOf, type WorkerSpan } from "../../src/engine/worker/spans.ts";
import type { WorkerState } from "../../src/engine/worker/state.ts";
import type { WorkerShell } from "./worker-updates.ts";

/** The spans of a worker's suspensions and resumptions, in order: they follow from its journal (spec/workers 19). */
export const spansOf = (shell: Pick<WorkerShell, "entries">): readonly WorkerSpan[] => {
  const spans: WorkerSpan[] = [];
  let state: WorkerState = null;
  for (const { events } of shell.entries())
    for (const event of events) {
      const after = evolve(state, event);
      const span = spanOf(event, state, after);
      if (span !== null) spans.push(span);
      const rested = after?.suspension;
      // A suspension ends when its work has come to rest.
      if (rested?.quiesced_at != null) {
        const at = spans.findLastIndex(({ span_id }) => span_id === rested.prior_span_link?.span_id);
        if (at >= 0) spans[at] = { ...(spans[at] as WorkerSpan), ended_at: rested.quiesced_at };
      }
      state = after;
    }
  return spans;
};
