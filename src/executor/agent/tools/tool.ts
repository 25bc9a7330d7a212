import type { Json, JsonObject } from "../../../lib/json.ts";
import type { Result } from "../../../lib/result.ts";
import type { StageFailure } from "../../../ports/stage-failure.ts";
import type { ToolContext } from "../../../ports/tools.ts";
import type { ToolAnnotations } from "../../../schema/policy.ts";
import type { OfferedTool } from "../../model-call.ts";

/** What a tool answered, or why it failed. */
export type ToolOutcome = Result<Json, StageFailure>;

/** A tool a model may call. */
export interface AgentTool extends OfferedTool {
  /** The tool server it comes from. */
  readonly server?: string;
  readonly annotations: ToolAnnotations | null;
  /** Upper bound of one call in milliseconds; none but the stage's without it. */
  readonly timeout_ms?: number;
  /** True when the other side checks arguments against the schema, which is its own. */
  readonly checks_arguments?: boolean;
  /** Only of a tool whose calls a worker carries out: what is wrong with the arguments; null for nothing. */
  readonly flaw_for_worker?: (args: JsonObject) => string | null;
  /** Absent for a tool that the API's client, or a worker, executes. May throw: what it throws is a failure of the tool. */
  readonly execute?: (args: JsonObject, context: ToolContext) => ToolOutcome | Promise<ToolOutcome>;
}

/** How long a call over the network may take unless its tool says otherwise. */
export const NETWORK_TIMEOUT_MS = 60_000;
