import { byCodePoint, isObject, type Json, type JsonObject } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { decodeSubAgent, type SubAgentRequest } from "./worker-spawn.ts";

/** What an agent gives a sub-agent to do. */
export interface SubagentCall {
  readonly task: string;
  readonly request: SubAgentRequest;
}

// A model names no tools, servers or policies of its own: what its sub-agent may do follows from the stage.
const KNOWN: readonly string[] = ["name", "system", "allowed_tools", "returns"];

const unknownKey = (options: JsonObject): string | undefined =>
  Object.keys(options)
    .toSorted(byCodePoint)
    .find((key) => !KNOWN.includes(key));

/** The arguments of `subagent_run` (spec/workers 15.1), of whose options a model may give only those that narrow. */
export const decodeSubagentCall = ({ task, options = null }: JsonObject): Result<SubagentCall, string> => {
  const text = typeof task === "string" ? task : "";
  const unknown = isObject(options) ? unknownKey(options) : undefined;
  if (unknown !== undefined)
    return err(`sub_agent_run: options.${unknown}: unknown field; expected ${KNOWN.join(", ")}`);
  const request = decodeSubAgent(text, options as Json);
  return request.ok ? ok({ task: text, request: request.value }) : request;
};
