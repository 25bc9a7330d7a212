import type { Json, JsonObject } from "../lib/json.ts";
import type { ToolContext, ToolHandler, ToolRegistry } from "../ports/tools.ts";
import type { ToolAnnotationsInput } from "../schema/policy.ts";
import { type ArgsOf, decodeArgs, isStandard, jsonSchemaOf, type Parameters } from "./parameter-schema.ts";
import { type Named, named } from "./registry.ts";

/** A tool as it is written; with a schema that checks, its handler gets decoded arguments of the schema's type. */
export interface ToolDefinition<Schema extends Parameters> {
  /** Tells the model what the tool is for. */
  readonly description: string;
  readonly parameters: Schema;
  /** What the tool does and which of its arguments are paths; policies are applied to it (spec/workflow 1.11). */
  readonly annotations?: ToolAnnotationsInput;
  readonly execute: (args: ArgsOf<Schema>, context: ToolContext) => Json | Promise<Json>;
}

const handlerOf = <Schema extends Parameters>(tool: ToolDefinition<Schema>): ToolHandler => {
  const { description, parameters, annotations, execute } = tool;
  const call = execute as (args: unknown, context: ToolContext) => Json | Promise<Json>;
  return {
    description,
    parameters: jsonSchemaOf(parameters),
    ...(annotations === undefined ? {} : { annotations: annotations as Json }),
    execute: isStandard(parameters)
      ? async (args: JsonObject, context) => call(await decodeArgs(parameters, args), context)
      : call,
  };
};

/** A registry of tools for agents. */
export const createTools = <const Schemas extends { readonly [name: string]: Parameters }>(tools: {
  readonly [Name in keyof Schemas]: ToolDefinition<Schemas[Name]>;
}): Named<ToolRegistry, keyof Schemas & string> => {
  const entries = Object.entries<ToolDefinition<Parameters>>(tools as Record<string, ToolDefinition<Parameters>>);
  const handlers = Object.fromEntries(entries.map(([name, tool]) => [name, handlerOf(tool)]));
  return named<keyof Schemas & string, ToolHandler>(handlers as Record<keyof Schemas & string, ToolHandler>);
};
