import type { JsonObject } from "../../../lib/json.ts";
import { err, ok, type Result } from "../../../lib/result.ts";
import type { StageFailure } from "../../../ports/stage-failure.ts";
import type { ToolRegistry } from "../../../ports/tools.ts";
import { flawOf } from "../../function.ts";
import { annotationsOf, parametersOf, textField } from "./declaration.ts";
import type { AgentTool } from "./tool.ts";

/** A tool whose handler is registered in code; the entry may describe it anew. */
export const registeredTool = (
  entry: JsonObject,
  registry: ToolRegistry | undefined,
): Result<AgentTool, StageFailure> => {
  const name = textField(entry, "name");
  const handler = registry?.find(name);
  if (handler === undefined) {
    const known = registry === undefined || registry.names.length === 0 ? "none" : registry.names.join(", ");
    return err({ category: "not_found", message: `no tool "${name}" is registered; registered: ${known}` });
  }
  const parameters = parametersOf(entry, handler.parameters);
  if (!parameters.ok) return parameters;
  const limit = entry["timeout_ms"];
  return ok({
    name,
    description: textField(entry, "description") || handler.description,
    parameters: parameters.value,
    annotations: annotationsOf(entry["policy"] ?? handler.annotations),
    ...(typeof limit === "number" ? { timeout_ms: limit } : {}),
    execute: async (args, context) => {
      const returned = await handler.execute(args, context);
      const flaw = flawOf(returned, "result", 0);
      if (flaw === undefined) return ok(returned);
      return err({ category: "tool_error", message: `tool "${name}" returned what JSON cannot carry: ${flaw}` });
    },
  });
};
