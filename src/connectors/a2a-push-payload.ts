import type { Json, JsonObject } from "../lib/json.ts";
import { fieldOf, firstText, pathOf } from "./body.ts";

const stateIn = (raw: Json): string | null => {
  const state = firstText(
    pathOf(raw, "statusUpdate", "status", "state"),
    pathOf(raw, "task", "status", "state"),
    pathOf(raw, "status", "state"),
  );
  return state === "cancelled" ? "canceled" : state;
};

/** What a push is about, as the kind of its event (spec/triggers 19.5). */
export const pushKind = (raw: Json): string => {
  const state = stateIn(raw);
  if (state !== null) return `a2a.task.${state}`;
  if (fieldOf(raw, "artifactUpdate") !== undefined) return "a2a.task.artifact";
  return fieldOf(raw, "message") === undefined ? "a2a.task.update" : "a2a.task.message";
};

/** Another agent's push in the typed form; the claims of its token fill in what the body leaves out (spec/triggers 4.2). */
export const pushPayload = (raw: Json, claims: JsonObject = {}): JsonObject => ({
  provider: "a2a-push",
  task_id: firstText(
    pathOf(raw, "statusUpdate", "taskId"),
    pathOf(raw, "artifactUpdate", "taskId"),
    pathOf(raw, "task", "id"),
    fieldOf(raw, "taskId"),
    fieldOf(raw, "task_id"),
    fieldOf(claims, "taskId"),
    fieldOf(claims, "task_id"),
  ),
  task_state: stateIn(raw),
  artifact: pathOf(raw, "artifactUpdate", "artifact") ?? pathOf(raw, "task", "artifacts") ?? null,
  sender: firstText(
    fieldOf(raw, "sender"),
    fieldOf(raw, "fromAgentUrl"),
    fieldOf(raw, "from_agent_url"),
    fieldOf(claims, "iss"),
  ),
  raw,
  kind: pushKind(raw),
});
