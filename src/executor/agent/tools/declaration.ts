import { annotationsFrom } from "../../../engine/policy/tools.ts";
import { isObject, type Json, type JsonObject } from "../../../lib/json.ts";
import { err, ok, type Result } from "../../../lib/result.ts";
import type { StageFailure } from "../../../ports/stage-failure.ts";
import type { StagePlan } from "../../../schema/plan.ts";
import type { ToolAnnotations } from "../../../schema/policy.ts";

const NO_PARAMETERS: JsonObject = { type: "object", properties: {} };

/** The entries of a `tools` value: a list, a registry or a single declaration (spec/workflow 1.3). */
export const toolEntries = (plan: StagePlan): readonly JsonObject[] => {
  let tools: Json | undefined = plan.agent_loop_options?.["tools"] ?? plan.llm_options?.["tools"];
  while (isObject(tools) && tools["_type"] === "tool_registry") tools = tools["tools"];
  if (Array.isArray(tools)) return (tools as readonly Json[]).filter(isObject);
  return isObject(tools) ? [tools] : [];
};

/** The annotations an entry declares for its tool (spec/workflow 10.3); null when it declares none. */
export const annotationsOf = (policy: Json | undefined): ToolAnnotations | null =>
  isObject(policy) ? annotationsFrom(policy) : null;

/** A field of an entry that has to be a text. */
export const textField = (entry: JsonObject, key: string): string => {
  const value = entry[key];
  return typeof value === "string" ? value : "";
};

/** The time limit of an entry. */
export const timeoutOf = (entry: JsonObject, missing: number): number => {
  const value = entry["timeout_ms"];
  return typeof value === "number" && value > 0 ? value : missing;
};

/** A refusal of the node's tools, before anything is called. */
export const toolRefusal = (message: string): Result<never, StageFailure> =>
  err({ category: "schema_validation", message });

/** The JSON schema of an entry's arguments; a tool without one takes none. */
export const parametersOf = (
  entry: JsonObject,
  missing: JsonObject = NO_PARAMETERS,
): Result<JsonObject, StageFailure> => {
  const { parameters = null } = entry;
  if (parameters === null) return ok(missing);
  if (isObject(parameters)) return ok(parameters);
  return toolRefusal(`tools: the parameters of "${textField(entry, "name")}" are not a JSON schema`);
};
