import type { RunCommand } from "../../src/engine/run/command.ts";
import { type Planted, withDecide } from "./planted.ts";
import { type RunObject, WorkflowRun } from "./real-object.ts";

/** Gives a fork only what was ready, as if nothing had been open. */
class ForgetsOpenStages extends WorkflowRun {
  override forkSource(checkpointId: string): ReturnType<RunObject["forkSource"]> {
    const source = super.forkSource(checkpointId);
    if (typeof source === "string") return source;
    return { ...source, open: [] };
  }
}

/** Starts a replay as any other run. */
const executesReplays = withDecide((decide) => (state, command: RunCommand, context) => {
  if (command.type !== "create_run") return decide(state, command, context);
  const { replay_mode: _, ...options } = command.options;
  return decide(state, { ...command, options }, context);
});

class PageOffByOne extends WorkflowRun {
  override recording(from: number): ReturnType<RunObject["recording"]> {
    return { ...super.recording(from + 1), from };
  }
}

class WritesWhenForked extends WorkflowRun {
  override forkSource(checkpointId: string): ReturnType<RunObject["forkSource"]> {
    this.request({ type: "pause_run" });
    return super.forkSource(checkpointId);
  }
}

/** Bugs of what is made from a run. */
export const PLANTED_LINEAGE: readonly Planted[] = [
  { bug: "a fork forgets open stages", caught_as: ["lineage"], variant: ForgetsOpenStages },
  { bug: "a replay calls the executor", caught_as: ["replay"], variant: executesReplays },
  { bug: "a page of a recording is off by one", caught_as: ["replay"], variant: PageOffByOne },
  { bug: "a fork pauses the run it is made from", caught_as: ["lineage"], variant: WritesWhenForked },
];
