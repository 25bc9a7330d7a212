import type { AgentStep } from "../schema/agent-step.ts";

export type { AgentStep, ToolCallRecord } from "../schema/agent-step.ts";

/** What an execution tells its run while it goes on. */
export interface StageJournal {
  /** Commits a step; rejects with AttemptLost when the attempt is no longer the current one: then stop, nothing more may happen. */
  readonly record: (step: AgentStep) => Promise<void>;
  /** Text for whoever watches live; not stored, never awaited. */
  readonly stream: (delta: { readonly iteration: number; readonly text: string }) => void;
}

/** The attempt is no longer the current one: another driver has the stage, or the run has ended. */
export class AttemptLost extends Error {
  readonly code = "attempt_lost";

  constructor(message = "the attempt is no longer the current one") {
    super(message);
    this.name = "AttemptLost";
  }
}
