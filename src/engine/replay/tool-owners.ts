import type { ToolCallRecord } from "../../schema/record.ts";
import type { RunEvent } from "../run/event.ts";

/** The stage that each tool call of a journal belongs to, in the order of the record; a branch's belong to its map. */
export const toolOwners = (events: readonly RunEvent[]): readonly string[] => {
  const maps = new Map<string, string>();
  const owners: string[] = [];
  for (const event of events) {
    if (event.type === "branch_prepared") maps.set(event.stage_id, event.map_stage_id);
    else if (event.type === "agent_step_recorded" || event.type === "call_answered") {
      if (event.tool_call !== undefined) owners.push(maps.get(event.stage_id) ?? event.stage_id);
    } else if (event.type === "stage_completed")
      for (const _ of event.tool_recordings ?? []) owners.push(event.stage_id);
  }
  return owners;
};

/** The tool calls of a record by the stage that made them; null for those that came with a record which the run continues. */
export const toolsByOwner = (
  calls: readonly ToolCallRecord[],
  owners: readonly string[],
): ReadonlyMap<string | null, readonly ToolCallRecord[]> => {
  const earlier = calls.length - owners.length;
  return Map.groupBy(calls, (_, index) => owners[index - earlier] ?? null);
};
