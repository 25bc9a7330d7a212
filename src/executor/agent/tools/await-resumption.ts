import { parseResumeConditions } from "../../../engine/worker/resume-conditions.ts";
import { kindName } from "../../../lib/display.ts";
import type { JsonObject } from "../../../lib/json.ts";
import { err, ok, type Result } from "../../../lib/result.ts";
import type { AskedSuspension } from "../../../schema/resume-conditions.ts";
import { checkTrigger } from "../../../schema/resume-trigger.ts";
import type { AgentTool } from "./tool.ts";

/** The tool with which an agent parks its own worker (spec/workers 17.7). */
export const AWAIT_RESUMPTION = "agent_await_resumption";

/** As it is offered; a call of it never gets as far as being dispatched. */
export const awaitResumptionTool: AgentTool = {
  name: AWAIT_RESUMPTION,
  description:
    "Suspends you until somebody resumes you, at no cost meanwhile. Use it when you cannot go on without an input or before something has happened. You go on with this conversation; what you are told then follows it.",
  parameters: {
    type: "object",
    properties: {
      reason: { type: "string", description: "What you wait for, in words for the person who reads it." },
      conditions: {
        type: "object",
        description: "What resumes you beside a person. Without it only a person, or your parent, does.",
        properties: {
          timeout: {
            type: "object",
            description: "Resumes you after a time, or fails you.",
            properties: {
              duration_minutes: { type: "integer", minimum: 1 },
              on_timeout: { type: "string", enum: ["resume_with_summary", "resume_with_input", "fail"] },
            },
            required: ["duration_minutes"],
          },
          on_event: { type: "string", description: "Resumes you with an event on the channel of this name." },
          trigger: { type: "object", description: "Resumes you with an event that this trigger hears." },
        },
      },
    },
    required: ["reason"],
  },
  annotations: null,
};

/** What a call asks for, or what is wrong with it, in the words of the specification (spec/workers 17.7, 18.1). */
export const askedSuspension = ({ reason, conditions: given }: JsonObject): Result<AskedSuspension, string> => {
  if (typeof reason !== "string")
    return err(`${AWAIT_RESUMPTION}: reason must be string, got ${kindName(reason ?? null)}`);
  const conditions = parseResumeConditions(given, checkTrigger);
  return conditions.ok ? ok({ reason, conditions: conditions.value }) : conditions;
};
