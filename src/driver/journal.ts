import type { Answer } from "../engine/machine.ts";
import { AttemptLost, type StageJournal } from "../ports/stage-journal.ts";
import type { LiveText } from "../engine/observe/live.ts";
import type { NumberedStep } from "../engine/run/command.ts";
import type { StagePlan } from "../schema/plan.ts";
import { type Faults, withFreshStub } from "./retry.ts";

/** What a journal needs of a run. */
export interface JournaledRun {
  readonly recordStep: (step: NumberedStep) => Promise<Answer<null>>;
  /** Shows a text to whoever watches; says whether anybody does. */
  readonly showText: (text: LiveText) => Promise<boolean>;
}

/** For so long nothing is sent after nobody watched: somebody who comes later sees the next piece after that. */
const UNWATCHED_MS = 2_000;

/** The journal of one execution: steps are commits of the run, texts are only shown. */
export const stageJournal = (plan: StagePlan, faults: Faults, now: () => number): StageJournal => {
  let recorded = plan.progress?.steps ?? 0;
  let quietUntil = 0;
  const show = async (text: LiveText): Promise<void> => {
    const watched = await faults.stub.current().showText(text);
    if (!watched) quietUntil = now() + UNWATCHED_MS;
  };
  return {
    record: async (step) => {
      const numbered = { attempt_token: plan.attempt_token, number: recorded, step };
      const answer = await withFreshStub(faults, (run) => run.recordStep(numbered));
      if (!answer.ok) throw new AttemptLost(answer.rejection.detail);
      recorded += 1;
    },
    stream: ({ iteration, text }) => {
      if (now() < quietUntil) return;
      const { stage_id, node_id } = plan;
      // Nobody waits for a text to be shown, and one that cannot be is lost.
      show({ stage_id, node_id, iteration, text }).catch(() => undefined);
    },
  };
};
