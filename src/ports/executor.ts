import type { StagePlan, StageResult } from "../schema/plan.ts";
import type { FunctionRegistry } from "./functions.ts";
import type { ModelEnv } from "./model-env.ts";
import type { ReducerRegistry } from "./reducers.ts";
import type { StageJournal } from "./stage-journal.ts";
import type { ToolRegistry } from "./tools.ts";

/** Runs one prepared stage; a failed call is a result too, so it never throws for one (spec/workflow 5). */
export interface Executor {
  readonly execute: (plan: StagePlan, signal: AbortSignal, journal?: StageJournal) => Promise<StageResult>;
}

/** Everything an executor reaches of the outside. */
export interface ExecutorConfig {
  readonly env: ModelEnv;
  readonly fetcher: typeof fetch;
  readonly functions: FunctionRegistry;
  /** The tools that agent stages can name; none without it. */
  readonly tools?: ToolRegistry;
  /** The reducers that reduce nodes can name; none without it. */
  readonly reducers?: ReducerRegistry;
  /** The moment in milliseconds since the Unix epoch. */
  readonly now: () => number;
}
