import { canonicalJson } from "../../lib/json.ts";
import type { AgentLoopOptions } from "../../schema/agent-loop.ts";
import type { ToolCallRecord } from "../../schema/agent-step.ts";
import type { AskedCall } from "./messages.ts";

/** What becomes of a call that was made before: nothing, a warning with its result, or a refusal. */
export type Repetition =
  | { readonly type: "fresh" }
  | { readonly type: "warned"; readonly note: string }
  | { readonly type: "refused"; readonly reason: string };

const keyOf = (name: string, args: AskedCall["arguments"]): string => `${name} ${canonicalJson(args)}`;

/** How many calls in a row, this one included, have been equal to this one. */
const runLength = (call: AskedCall, before: readonly ToolCallRecord[]): number => {
  const key = keyOf(call.name, call.arguments);
  const other = before.findLastIndex((past) => keyOf(past.tool_name, past.arguments) !== key);
  return before.length - other;
};

/** Judges the same call made again and again: `loop_detect_warn`, `_block` and `_skip` calls in a row; 0 switches a step off (spec/workflow 4.5, 10.7). */
export const repetitionOf = (
  call: AskedCall,
  before: readonly ToolCallRecord[],
  options: AgentLoopOptions,
): Repetition => {
  const times = runLength(call, before);
  const reaches = (limit: number): boolean => limit > 0 && times >= limit;
  if (reaches(options.loop_detect_skip)) return { type: "refused", reason: `the same call was skipped again` };
  if (reaches(options.loop_detect_block)) {
    const reason = `this call was made ${times - 1} times in a row with the same arguments: do something else`;
    return { type: "refused", reason };
  }
  if (reaches(options.loop_detect_warn)) {
    return { type: "warned", note: `[this is call ${times} in a row with the same arguments: do not repeat it]` };
  }
  return { type: "fresh" };
};
