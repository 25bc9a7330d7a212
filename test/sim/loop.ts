import type { JsonObject } from "../../src/lib/json.ts";
import { AttemptLost, type StageJournal } from "../../src/ports/stage-journal.ts";
import type { StagePlan } from "../../src/schema/plan.ts";
import type { Process } from "./process.ts";
import { stepText } from "./step-text.ts";
import type { World } from "./world.ts";

interface Loop {
  readonly plan: StagePlan;
  readonly journal: StageJournal;
  readonly process: Process;
}

/** How many steps a loop takes, and after how many it asks its client: both follow from the stage. */
const shapeOf = (stageId: string): { readonly steps: number; readonly asks_after: number | null } => {
  const sum = [...stageId].reduce((total, character) => total * 31 + (character.codePointAt(0) ?? 0), 7) % 997;
  return { steps: 1 + (sum % 4), asks_after: sum % 3 === 0 ? sum % 2 : null };
};

/**
 * Works like an agent: records steps from where the journal ends, and asks its client once at most. Answers null when the
 * loop has come to its end, and else what it hands in before that.
 */
export const recordLoop = async (world: World, { plan, journal, process }: Loop): Promise<JsonObject | null> => {
  const { steps, asks_after: asksAfter } = shapeOf(plan.stage_id);
  const isAnswered = (plan.progress?.tool_calls.length ?? 0) > 0;
  try {
    for (let number = plan.progress?.steps ?? 0; number < steps; number++) {
      if (number === asksAfter && !isAnswered) return question(plan, number);
      const content = stepText(plan.stage_id, number);
      await journal.record({ iteration: number + 1, messages: [{ role: "assistant", content }] });
      await process.sleep(world.random.int(1, 900));
    }
    return null;
  } catch (fault) {
    if (!(fault instanceof AttemptLost)) throw fault;
    return { status: "failed", text: `lost ${plan.attempt_token}`, visible_text: "" };
  }
};

const question = (plan: StagePlan, number: number): JsonObject => ({
  __workflow_stage_parked: true,
  pending: [
    {
      call_id: `call-${plan.stage_id}`,
      tool_name: "ask",
      arguments: {},
      reason: "client_tool",
      iteration: number + 1,
    },
  ],
});
