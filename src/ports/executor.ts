import type { StagePlan, StageResult } from "../schema/plan.ts";
import type { FunctionRegistry } from "./functions.ts";
import type { ModelEnv } from "./model-env.ts";

/** Runs one prepared stage; a failed call is a result too, so it never throws for one (spec/workflow 5). */
export interface Executor {
  readonly execute: (plan: StagePlan, signal: AbortSignal) => Promise<StageResult>;
}

/** Everything an executor reaches of the outside. */
export interface ExecutorConfig {
  readonly env: ModelEnv;
  readonly fetcher: typeof fetch;
  readonly functions: FunctionRegistry;
  /** The moment in milliseconds since the Unix epoch. */
  readonly now: () => number;
}
