import { isObject, type Json, type JsonObject, valueAt } from "../../../lib/json.ts";
import { err, ok, type Result } from "../../../lib/result.ts";
import { fillTemplate } from "../../../lib/template.ts";
import type { StageFailure } from "../../../ports/stage-failure.ts";
import type { HttpCall, StagePlan } from "../../../schema/plan.ts";
import { httpRunner } from "../../http.ts";
import type { RunnerContext } from "../../runner.ts";
import { annotationsOf, parametersOf, textField, timeoutOf, toolRefusal } from "./declaration.ts";
import { type AgentTool, NETWORK_TIMEOUT_MS, type ToolOutcome } from "./tool.ts";

/** A tool that makes one HTTP call, with the rules of HTTP stages about hosts, redirects and secrets. */
export const httpTool = (
  entry: JsonObject,
  plan: StagePlan,
  context: RunnerContext,
): Result<AgentTool, StageFailure> => {
  const name = textField(entry, "name");
  const { http } = entry;
  if (!isObject(http) || typeof http["url"] !== "string") return toolRefusal(`tools: "${name}" has no http.url`);
  const parameters = parametersOf(entry);
  if (!parameters.ok) return parameters;
  return ok({
    name,
    description: textField(entry, "description"),
    parameters: parameters.value,
    annotations: annotationsOf(entry["policy"]),
    timeout_ms: timeoutOf(http, NETWORK_TIMEOUT_MS),
    execute: async (args, call) => {
      const filled = fillCall(http, args);
      if (!filled.ok) return err({ category: "tool_error", message: filled.error });
      const stage = { ...plan, http: filled.value, idempotency_key: call.idempotency_key };
      // A context of its own: the call has the signal of the tool's time limit.
      const outcome = await httpRunner.run(stage, { ...context, signal: call.signal });
      return outcome.ok ? answerOf(outcome.value) : outcome;
    },
  });
};

/** What the model gets to see: the JSON the server answered, else its text. */
const answerOf = (result: JsonObject): ToolOutcome => ok(result["data"] ?? result["text"] ?? null);

const asText = (value: Json): string => (typeof value === "string" ? value : JSON.stringify(value));

const argument = (args: JsonObject, path: string): Json | undefined => {
  const [head, ...rest] = path.split(".");
  return head === "args" && rest.length > 0 ? (valueAt(args, rest.join(".")) ?? null) : undefined;
};

const WHOLE = /^\{\{[^{}]*\}\}$/;
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?=[/?#]|$)/i;

/** Arguments go into an address encoded, so that none can choose another path or add a parameter. */
const fillUrl = (template: string, args: JsonObject): Result<Json, string> => {
  const raw = WHOLE.test(template.trim());
  const scope = (path: string): Json | undefined => {
    const value = argument(args, path);
    if (value === undefined || raw) return value;
    return value === null ? "" : encodeURIComponent(asText(value));
  };
  const filled = fillTemplate(template, scope, "quoted");
  if (!filled.ok || raw || DOT_SEGMENT.test(template) || !DOT_SEGMENT.test(asText(filled.value))) return filled;
  return err("an argument would lead to another address");
};

/** Members whose whole value is an argument that was not given are left out. */
const withoutMissing = (template: Json, args: JsonObject): Json => {
  if (Array.isArray(template)) return (template as readonly Json[]).map((item) => withoutMissing(item, args));
  if (!isObject(template)) return template;
  const given = Object.entries(template).filter(([, value]) => {
    const path = typeof value === "string" ? /^\{\{\s*([^{}\s]+)\s*\}\}$/.exec(value)?.[1] : undefined;
    return path === undefined || argument(args, path) !== null;
  });
  return Object.fromEntries(given.map(([key, value]) => [key, withoutMissing(value, args)]));
};

const fillCall = (http: JsonObject, args: JsonObject): Result<HttpCall, string> => {
  const { url, ...rest } = http;
  const address = fillUrl(asText(url ?? ""), args);
  if (!address.ok) return address;
  const scope = (path: string): Json | undefined => argument(args, path);
  const filled = fillTemplate(withoutMissing({ method: "GET", headers: {}, ...rest }, args), scope, "quoted");
  if (!filled.ok) return err(`{{${filled.error}}} names nothing; a tool can name args.*`);
  return ok({ ...(filled.value as unknown as HttpCall), url: asText(address.value) });
};
