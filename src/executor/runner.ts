import type { Result } from "../lib/result.ts";
import type { ExecutorConfig } from "../ports/executor.ts";
import type { StageJournal } from "../ports/stage-journal.ts";
import type { StageFailure } from "../ports/stage-failure.ts";
import type { StagePlan, StageResult } from "../schema/plan.ts";
import type { Redactor } from "./redaction.ts";

/** What a runner has at hand; its fetcher marks network failures as such. */
export interface RunnerContext extends ExecutorConfig {
  /** Aborts at the plan's time limit or when the driver gives up. */
  readonly signal: AbortSignal;
  readonly redactor: Redactor;
  /** Where an execution that takes many steps records them. */
  readonly journal?: StageJournal;
}

/** What came of a call. */
export type StageOutcome = Result<StageResult, StageFailure>;

/** One stage mode: runs a plan, and explains what its call may throw. */
export interface Runner {
  /** A result that is there at once needs no time limit, and costs none. */
  readonly run: (plan: StagePlan, context: RunnerContext) => StageOutcome | Promise<StageOutcome>;
  readonly explain: (thrown: unknown, plan: StagePlan, now: number) => StageFailure;
}
