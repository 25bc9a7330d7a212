import { isObject, type JsonObject } from "../../../lib/json.ts";
import { ok, type Result } from "../../../lib/result.ts";
import type { StageFailure } from "../../../ports/stage-failure.ts";
import type { StagePlan } from "../../../schema/plan.ts";
import type { RunnerContext } from "../../runner.ts";
import { awaitResumptionTool } from "./await-resumption.ts";
import { annotationsOf, parametersOf, textField, toolEntries, toolRefusal } from "./declaration.ts";
import { httpTool } from "./http.ts";
import { openMcp } from "./mcp.ts";
import { registeredTool } from "./registered.ts";
import { subagentRunTool } from "./subagent-run.ts";
import type { AgentTool } from "./tool.ts";

/** The tools of a stage. */
export interface Toolset {
  readonly tools: ReadonlyMap<string, AgentTool>;
  /** Ends the sessions with tool servers. */
  readonly close: () => Promise<void>;
}

/** Opens every tool a node lists; one that cannot be opened fails the stage before its first model call. */
export const openToolset = async (plan: StagePlan, context: RunnerContext): Promise<Result<Toolset, StageFailure>> => {
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    await Promise.allSettled(closers.map(async (end) => end()));
  };
  const opened = await openEntries(plan, context, closers).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  if (opened.ok) return ok({ tools: opened.value, close });
  await close();
  return opened;
};

/** Tools that an agent has whatever its node lists: in a worker, and where it may delegate (spec/workers 17.7). */
const ownTools = ({ worker_id: worker, agent_loop_options: options = {} }: StagePlan): readonly AgentTool[] => [
  ...(worker === undefined ? [] : [awaitResumptionTool]),
  ...(options["subagents"] === true ? [subagentRunTool] : []),
];

const openEntries = async (
  plan: StagePlan,
  context: RunnerContext,
  closers: (() => Promise<void>)[],
): Promise<Result<ReadonlyMap<string, AgentTool>, StageFailure>> => {
  const tools = new Map(ownTools(plan).map((tool) => [tool.name, tool]));
  for (const entry of toolEntries(plan)) {
    const opened = await openEntry(entry, plan, context);
    if (!opened.ok) return opened;
    if (opened.value.close !== undefined) closers.push(opened.value.close);
    for (const tool of opened.value.tools) {
      if (tools.has(tool.name)) return toolRefusal(`tools: two tools have the name "${tool.name}"`);
      tools.set(tool.name, tool);
    }
  }
  return ok(tools);
};

interface Opened {
  readonly tools: readonly AgentTool[];
  readonly close?: () => Promise<void>;
}

const openEntry = async (
  entry: JsonObject,
  plan: StagePlan,
  context: RunnerContext,
): Promise<Result<Opened, StageFailure>> => {
  if (isObject(entry["mcp"])) return openMcp(entry, context);
  if (textField(entry, "name") === "") return toolRefusal("tools: an entry has no name");
  const tool = isObject(entry["http"])
    ? httpTool(entry, plan, context)
    : entry["client"] === true
      ? clientTool(entry)
      : registeredTool(entry, context.tools);
  return tool.ok ? ok({ tools: [tool.value] }) : tool;
};

/** A tool without a handler here: its calls wait for the client of the API. */
const clientTool = (entry: JsonObject): Result<AgentTool, StageFailure> => {
  const parameters = parametersOf(entry);
  if (!parameters.ok) return parameters;
  return ok({
    name: textField(entry, "name"),
    description: textField(entry, "description"),
    parameters: parameters.value,
    annotations: annotationsOf(entry["policy"]),
  });
};
