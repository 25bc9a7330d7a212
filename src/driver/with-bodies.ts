import { decideCondition } from "../engine/node/condition-work.ts";
import { textEvidence, withEvidence } from "../engine/verification/body-evidence.ts";
import { failedStage } from "../executor/failure.ts";
import { type BodyMarker, hasMarker, MAX_BODY_BYTES } from "../lib/body-marker.ts";
import type { Json } from "../lib/json.ts";
import type { Result } from "../lib/result.ts";
import { eachText, longTexts } from "../lib/texts.ts";
import { changeQuoted } from "../lib/template.ts";
import type { Blobs } from "../ports/blobs.ts";
import type { StageJournal } from "../ports/stage-journal.ts";
import type { Executor } from "../ports/executor.ts";
import type { StagePlan, StageResult } from "../schema/plan.ts";
import { type FillBudget, fillBodies, spillBodies, type TooLong } from "./bodies.ts";

/** Bodies a stage may get: as much as one may produce. */
const MAX_INPUT_BYTES = MAX_BODY_BYTES + 1_048_576;

/** The parts of a plan in which bodies may stand. */
type Inputs = Pick<StagePlan, "prompt" | "http" | "function" | "condition" | "session">;

const inputsOf = ({ prompt, http, function: call, condition, session }: StagePlan): Inputs => ({
  ...(prompt === undefined ? {} : { prompt }),
  ...(http === undefined ? {} : { http }),
  ...(call === undefined ? {} : { function: call }),
  ...(condition === undefined ? {} : { condition }),
  ...(session === undefined ? {} : { session }),
});

/** How the inputs of a plan are filled: a body in an HTTP call is a value, and no secret is ever read out of it. */
const budgetFor = (plan: StagePlan): FillBudget => ({
  max_bytes: MAX_INPUT_BYTES,
  shared: plan.http === undefined,
  ...(plan.http === undefined ? {} : { fill: changeQuoted }),
});

/** A plan with the bodies its executor needs, and what was left out of it. */
export const fillPlan = async (
  plan: StagePlan,
  blobs: Blobs,
): Promise<{ readonly plan: StagePlan; readonly left_out: readonly BodyMarker[] }> => {
  const inputs = inputsOf(plan);
  const { value, left_out } = await fillBodies(inputs, blobs, budgetFor(plan));
  return value === inputs ? { plan, left_out } : { plan: { ...plan, ...value }, left_out };
};

/**
 * A result as a run keeps it: long texts are bodies, and what the node's `verify` says about them is recorded beside it,
 * because nobody can look into them later (spec/workflow 7.1). Evidence that came with the result is dropped.
 */
export const storeResult = async (
  result: StageResult,
  blobs: Blobs,
  verify: () => Promise<Json> | Json,
): Promise<Result<StageResult, TooLong>> => {
  const own = withEvidence(result, []);
  if (longTexts(own).size === 0) return { ok: true, value: own };
  const evidence = textEvidence(await verify(), own);
  const stored = await spillBodies(own, blobs);
  return stored.ok ? { ok: true, value: withEvidence(stored.value, evidence) } : stored;
};

const asIs = (text: string): string => text;

const tooLong = ({ bytes, max_bytes }: TooLong): StageResult =>
  failedStage(
    {
      category: "generic",
      message: `the stage's result has a text of ${bytes} bytes, more than the limit of ${max_bytes}: return less, or store it elsewhere and return its address`,
    },
    asIs,
  );

const TOO_MUCH_INPUT = failedStage(
  {
    category: "budget_exceeded",
    message: `the stage's input has more than ${MAX_INPUT_BYTES} bytes: select fewer artifacts, or bound them with context_policy.max_tokens`,
  },
  asIs,
);

const someExist = async (markers: readonly BodyMarker[], blobs: Blobs): Promise<boolean> => {
  for (const marker of markers) if (await blobs.has(marker)) return true;
  return false;
};

const hasBodies = (plan: StagePlan): boolean => {
  let found = false;
  eachText(inputsOf(plan) as Json, (text) => {
    found ||= hasMarker(text);
  });
  return found;
};

/** A journal whose steps hold no long text either. */
const keptJournal = (journal: StageJournal, blobs: Blobs): StageJournal => ({
  record: async (step) => {
    const stored = await spillBodies(step, blobs);
    if (!stored.ok) throw new Error(`a step holds a text of ${stored.error.bytes} bytes: more than a body may have`);
    await journal.record(stored.value);
  },
  stream: journal.stream,
});

/**
 * An executor of a tenant's stages that never sees a marker and whose results never hold a long text: bodies are put in
 * place before a stage is executed and kept before it is completed (architecture 4, step 7).
 */
export const withBodies = (executor: Executor, blobs: Blobs): Executor => {
  const keep = async (result: StageResult, plan: StagePlan): Promise<StageResult> => {
    const stored = await storeResult(result, blobs, () => plan.checks ?? null);
    return stored.ok ? stored.value : tooLong(stored.error);
  };
  const kept = (result: StageResult, plan: StagePlan): StageResult | Promise<StageResult> =>
    longTexts(result).size === 0 ? withEvidence(result, []) : keep(result, plan);
  const executeFilled = async (
    given: StagePlan,
    signal: AbortSignal,
    journal: StageJournal | undefined,
  ): Promise<StageResult> => {
    const { plan, left_out } = await fillPlan(given, blobs);
    if (left_out.length > 0 && (await someExist(left_out, blobs))) return TOO_MUCH_INPUT;
    if (plan.condition !== undefined) return decideCondition(plan.condition);
    return kept(await executor.execute(plan, signal, journal), given);
  };
  return {
    execute: (plan, signal, journal) => {
      const own = journal === undefined ? undefined : keptJournal(journal, blobs);
      return plan.condition !== undefined || hasBodies(plan)
        ? executeFilled(plan, signal, own)
        : executor.execute(plan, signal, own).then((result) => kept(result, plan));
    },
  };
};
