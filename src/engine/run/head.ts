import type { Json } from "../../lib/json.ts";
import { isTerminal, type RunState } from "./state.ts";

/** The small part of a run that its head row keeps: enough to see where it stands without reading the journal. */
export const runHead = (state: RunState): Json =>
  state === null
    ? null
    : {
        run_id: state.run_id,
        status: state.status,
        steps: state.steps,
        stage_count: state.stage_count,
        artifact_count: state.artifacts.length,
        prepared: state.prepared === null ? null : { stage_id: state.prepared.stage_id, attempt: state.prepared.attempt },
        error: state.error,
        updated_at: state.updated_at,
      };

/** True when no event can follow any more: the run has ended, or does not exist. */
export const isOver = (state: RunState): boolean => state === null || isTerminal(state.status);
