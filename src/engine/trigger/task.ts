import { valueAt, type Json } from "../../lib/json.ts";
import type { TriggerEvent } from "../../schema/trigger.ts";

const TEMPLATE = /\{\{\s*trigger_event\.([^{}\s]+)\s*\}\}/g;

const shown = (value: Json | undefined): string => {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
};

/**
 * The task of an event's run: `Handle {provider} event {kind}`, or the handler's text with each
 * `{{trigger_event.<dotted path>}}` filled in once. A text is put in as it is, another value as JSON, a missing one as
 * nothing; what is put in is never read as a template again.
 */
export const taskFor = (template: string | undefined, event: TriggerEvent): string => {
  if (template === undefined) return `Handle ${event.provider} event ${event.kind}`;
  return template.replaceAll(TEMPLATE, (_whole, path: string) => shown(valueAt(event as unknown as Json, path)));
};
