import type { JsonObject } from "../../src/lib/json.ts";
import type { PartPage, PartRequest } from "./run-parts.ts";
import type { RunShell } from "./run-record.ts";

const nodeOfStage = (stageId: string): string => stageId.split(":").at(-2) ?? "";

/** Calls of tools as they were recorded, oldest first. */
const recordedCalls = (shell: RunShell): readonly JsonObject[] =>
  shell.entries().flatMap(({ events }) =>
    events.flatMap((event) =>
      (event.type === "agent_step_recorded" || event.type === "call_answered") && event.tool_call !== undefined
        ? [
            {
              ...event.tool_call,
              stage_id: event.stage_id,
              node_id: nodeOfStage(event.stage_id),
            } as unknown as JsonObject,
          ]
        : [],
    ),
  );

/** Calls that wait for a client's result, or for a person's approval. */
const pendingCalls = (shell: RunShell): readonly JsonObject[] =>
  (shell.state?.open ?? []).flatMap((unit) =>
    (unit.loop?.pending ?? []).map(
      (call) =>
        ({ ...call, status: "waiting", stage_id: unit.stage_id, node_id: unit.node_id }) as unknown as JsonObject,
    ),
  );

/** One page of the tool calls of a run: those that were answered, then those that wait; null for a run that does not exist. */
export const pageOfToolCalls = (
  shell: RunShell,
  { limit, cursor, pending }: PartRequest & { readonly pending: boolean },
): PartPage | null => {
  if (shell.state === null) return null;
  const calls = pending ? pendingCalls(shell) : [...recordedCalls(shell), ...pendingCalls(shell)];
  const items = calls.slice(cursor, cursor + limit);
  return { items, next_cursor: cursor + limit < calls.length ? cursor + limit : null };
};
