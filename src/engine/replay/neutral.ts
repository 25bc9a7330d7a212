import { isObject, type Json } from "../../lib/json.ts";
import type { RunRecord } from "../../schema/record.ts";

/** Texts that differ between two executions of the same thing: uuids and moments. */
export const VOLATILE =
  /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/gi;

/** The ids of a run's stages and artifacts. */
export const ownIds = (run: RunRecord): ReadonlySet<string> =>
  new Set([...run.stages.map(({ id }) => id), ...run.artifacts.map(({ id }) => id)]);

/** What a stage's output shows of how the stage was asked; the outcome is the same without it (spec/workflow 8.5). */
export const ASKED_KEYS = [
  "prompt",
  "system_prompt",
  "rendered_context",
  "verification_contracts",
  "rendered_verification_context",
  "selected_artifact_ids",
  "selected_artifact_titles",
] as const;

const ASKED: ReadonlySet<string> = new Set(ASKED_KEYS);

/** An output artifact's data as the executor gave it, without what a record adds about how the stage was asked. */
export const outputData = (data: Json): Json => {
  if (!isObject(data)) return data;
  const { tools, ...own } = Object.fromEntries(Object.entries(data).filter(([key]) => !ASKED.has(key)));
  if (!isObject(tools)) return tools === undefined ? own : { ...own, tools };
  const { mode: _, ...called } = tools;
  return Object.keys(called).length === 0 ? own : { ...own, tools: called };
};

/** The value with every id and moment replaced by one and the same text. */
export const withoutIds = (value: Json, ids: ReadonlySet<string>): Json => {
  if (typeof value === "string") return ids.has(value) ? "<id>" : value.replaceAll(VOLATILE, "<id>");
  if (Array.isArray(value)) return (value as readonly Json[]).map((item) => withoutIds(item, ids));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) => (member === undefined ? [] : [[key, withoutIds(member, ids)]])),
  );
};
