import type { JsonObject } from "../../lib/json.ts";
import type { LifecycleEvent } from "../finish/command.ts";
import type { FinishingEvent } from "../finish/finishing.ts";

/** What clients may see of what a run leaves behind: no payload and no token. */
export const lifecycleData = (event: LifecycleEvent | FinishingEvent): JsonObject => {
  switch (event.type) {
    case "audit_recorded":
      return { seq: event.entry.seq, kind: event.entry.kind };
    case "handoff_recorded": {
      const { envelope_id, target_pipeline } = event.handoff;
      return { envelope_id, target_pipeline };
    }
    case "handoff_acknowledged":
      return { envelope_id: event.envelope_id, seq: event.entry.seq };
    case "disposition_set":
      return { seq: event.entry.seq };
    case "on_finish_set":
      return { handler: event.on_finish.handler };
    case "finish_ordered":
      return { handler: event.on_finish.handler, attempt: event.attempt };
    default:
      return {};
  }
};
