import { createToolRegistry } from "./executor/tool-registry.ts";
import type { ToolRegistry } from "./ports/tools.ts";

/**
 * The tools that agent stages can name. Register yours here and deploy.
 *
 * `echo` answers with its text; examples and checks use it.
 */
export const tools: ToolRegistry = createToolRegistry({
  echo: {
    description: "Answers with the text it is given.",
    parameters: { type: "object", properties: { text: { type: "string" } }, required: ["text"] },
    annotations: { kind: "think", side_effect_level: "none" },
    execute: ({ text }) => text ?? "",
  },
});
