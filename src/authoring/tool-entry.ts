import type { Json, JsonObject } from "../lib/json.ts";
import type { ToolAnnotationsInput } from "../schema/policy.ts";

interface Described {
  readonly name: string;
  readonly description?: string;
  /** A JSON schema of the arguments. */
  readonly parameters?: JsonObject;
  readonly policy?: ToolAnnotationsInput;
  readonly defer_loading?: boolean;
}

/** A tool that is registered in code under this name. */
export interface RegisteredTool extends Described {
  readonly http?: never;
  readonly mcp?: never;
  readonly client?: never;
}

/** A tool that is an HTTP call; texts may hold templates. */
export interface HttpTool extends Described {
  readonly description: string;
  readonly parameters: JsonObject;
  readonly http: {
    readonly method: string;
    readonly url: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: Json;
  };
  readonly mcp?: never;
  readonly client?: never;
}

/** A tool that the caller of the API executes. */
export interface ClientTool extends Described {
  readonly description: string;
  readonly parameters: JsonObject;
  readonly client: true;
  readonly http?: never;
  readonly mcp?: never;
}

/** The tools of an MCP server; without `tools` all that it offers. */
export interface McpTools {
  readonly name?: never;
  readonly mcp: {
    readonly url: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly tools?: readonly string[];
  };
}

/** One entry of a node's tools. */
export type ToolEntry = RegisteredTool | HttpTool | ClientTool | McpTools;

/** The tools of a node: a list, one entry, or a registry of the form that the specification knows (spec/workflow 1.3). */
export type Tools =
  | readonly ToolEntry[]
  | ToolEntry
  | { readonly _type: "tool_registry"; readonly tools: Tools }
  | null;
