import { decodeSubagentCall } from "../../../schema/subagent-call.ts";
import type { AgentTool } from "./tool.ts";

/** The tool with which an agent lets another one do something and waits for it (spec/workers 15, 17.7). */
export const subagentRunTool: AgentTool = {
  name: "subagent_run",
  description:
    "Gives a task to another agent, with tools of yours and a conversation of its own, and answers with what it came to. It knows only what the task says. Several calls in one turn are carried out side by side.",
  parameters: {
    type: "object",
    properties: {
      task: { type: "string", description: "What there is to do, with everything that has to be known for it." },
      options: {
        type: "object",
        properties: {
          name: { type: "string" },
          system: { type: "string", description: "Who the other agent is." },
          allowed_tools: { type: "array", items: { type: "string" }, description: "Only these of your tools." },
          returns: {
            type: "object",
            properties: { schema: { type: "object", description: "A JSON schema of the answer's `data`." } },
          },
        },
      },
    },
    required: ["task"],
  },
  annotations: null,
  flaw_for_worker: (args) => {
    const call = decodeSubagentCall(args);
    return call.ok ? null : call.error;
  },
};
