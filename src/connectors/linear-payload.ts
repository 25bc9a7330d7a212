import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import { fieldOf, intOrNull, textOrNull } from "./body.ts";

const TYPES: ReadonlyMap<string, string> = new Map([
  ["issuecomment", "comment"],
  ["issue_comment", "comment"],
  ["issuelabel", "issue_label"],
  ["projectupdate", "project"],
  ["project_update", "project"],
  ["customerrequest", "customer_request"],
]);

/** The name of what a Linear delivery is about (spec/triggers 4.2). */
export const linearEvent = (raw: Json, header: string | undefined): string => {
  const type = (textOrNull(fieldOf(raw, "type")) ?? header ?? "").trim().toLowerCase();
  return type === "" ? "other" : (TYPES.get(type) ?? type);
};

/** The key under which the `data` of an event is shown. */
const DATA_KEYS: ReadonlyMap<string, string> = new Map([
  ["issue", "issue"],
  ["comment", "comment"],
  ["issue_label", "label"],
  ["project", "project"],
  ["cycle", "cycle"],
  ["customer", "customer"],
  ["customer_request", "customer_request"],
]);

type Convert = (value: Json) => Json;

const text: Convert = textOrNull;

const decimal: Convert = (value) => {
  const given = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof given === "number" && Number.isFinite(given) ? given : null;
};

const labelIds: Convert = (value) =>
  Array.isArray(value)
    ? (value as readonly Json[])
        .map((item) => textOrNull(item) ?? textOrNull(fieldOf(item, "id")))
        .filter((id) => id !== null)
    : [];

/** Fields of an issue whose old values are typed, with their names (spec/triggers 4.2). */
const FIELDS: ReadonlyMap<string, readonly [name: string, convert: Convert]> = new Map([
  ["title", ["title", text]],
  ["description", ["description", text]],
  ["priority", ["priority", intOrNull]],
  ["estimate", ["estimate", intOrNull]],
  ["stateId", ["state_id", text]],
  ["teamId", ["team_id", text]],
  ["assigneeId", ["assignee_id", text]],
  ["projectId", ["project_id", text]],
  ["cycleId", ["cycle_id", text]],
  ["dueDate", ["due_date", text]],
  ["parentId", ["parent_id", text]],
  ["sortOrder", ["sort_order", decimal]],
  ["labelIds", ["label_ids", labelIds]],
  ["completedAt", ["completed_at", text]],
]);

const changesIn = (raw: Json): readonly Json[] => {
  const before = fieldOf(raw, "updatedFrom");
  if (!isObject(before)) return [];
  return Object.entries(before).map(([field, previous]) => {
    const known = FIELDS.get(field);
    if (known === undefined) return { field_name: "other", field, previous };
    const [name, convert] = known;
    return { field_name: name, previous: convert(previous) };
  });
};

/** A Linear body in the typed form (spec/triggers 4.2). */
export const linearPayload = (headers: Readonly<Record<string, string>>, raw: Json): JsonObject => {
  const event = linearEvent(raw, headers["linear-event"]);
  const payload: Record<string, Json> = {
    provider: "linear",
    event,
    action: textOrNull(fieldOf(raw, "action")),
    delivery_id: headers["linear-delivery"] ?? null,
    organization_id: textOrNull(fieldOf(raw, "organizationId")),
    webhook_timestamp: intOrNull(fieldOf(raw, "webhookTimestamp")),
    webhook_id: textOrNull(fieldOf(raw, "webhookId")),
    url: textOrNull(fieldOf(raw, "url")),
    created_at: textOrNull(fieldOf(raw, "createdAt")),
    actor: fieldOf(raw, "actor") ?? null,
    raw,
  };
  const key = DATA_KEYS.get(event);
  if (key !== undefined) payload[key] = fieldOf(raw, "data") ?? null;
  if (event === "issue") payload["changes"] = changesIn(raw);
  return payload;
};
