import { finishPresets } from "./executor/finish-presets.ts";
import { createFinishHandlers } from "./executor/registry.ts";

/**
 * What runs can name in their option `on_finish`. Register yours here and deploy.
 *
 * `abandon`, `drain`, `block_until_settled` and `handoff_to` are those of the specification (spec/workers 21.11).
 */
export const finishHandlers = createFinishHandlers({ ...finishPresets });
