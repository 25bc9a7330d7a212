import { byCodePoint } from "../lib/json.ts";
import type { ToolHandler, ToolRegistry } from "../ports/tools.ts";

/** A registry of tools by name; names that objects inherit, such as `constructor`, are no tools. */
export const createToolRegistry = (tools: Readonly<Record<string, ToolHandler>>): ToolRegistry => {
  const byName = new Map(Object.entries(tools));
  return { names: [...byName.keys()].toSorted(byCodePoint), find: (name) => byName.get(name) };
};
