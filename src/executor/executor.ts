import { MAX_BODY_BYTES, MAX_INLINE_BYTES } from "../lib/body-marker.ts";
import { byteLength, isObject, type Json } from "../lib/json.ts";
import type { Result } from "../lib/result.ts";
import { inlineBytes, longTexts } from "../lib/texts.ts";
import { networkFetcher } from "../llm/network.ts";
import type { Executor, ExecutorConfig } from "../ports/executor.ts";
import type { StageJournal } from "../ports/stage-journal.ts";
import type { StageFailure } from "../ports/stage-failure.ts";
import type { StageMode, StagePlan, StageResult } from "../schema/plan.ts";
import { agentRunner } from "./agent/runner.ts";
import { type Deadline, startDeadline } from "./deadline.ts";
import { failedStage } from "./failure.ts";
import { functionRunner } from "./function.ts";
import { httpRunner } from "./http.ts";
import { llmRunner } from "./llm.ts";
import { createRedactor, type Redactor } from "./redaction.ts";
import type { Runner } from "./runner.ts";
import { unavailableRunner } from "./unavailable.ts";

export type { Executor, ExecutorConfig } from "../ports/executor.ts";

/** Largest result of a stage, as JSON in bytes, without the texts that are kept as bodies. */
const MAX_RESULT_BYTES = 1_048_576;

/** Bytes of the texts that are kept as bodies, all together and each counted once. */
const MAX_TEXT_BYTES = MAX_BODY_BYTES + MAX_RESULT_BYTES;

const RUNNERS: Readonly<Record<StageMode, Runner>> = {
  llm: llmRunner,
  agent: agentRunner,
  http: httpRunner,
  function: functionRunner,
  command: unavailableRunner(
    "a command cannot run here: name the work queue of a runner with verify.queue, the run option command_queue or the " +
      "setting GODWIT_COMMAND_QUEUE, or complete the stage through the API",
  ),
  map: unavailableRunner("a map is executed by its branches, each with a plan of its own"),
  sleep: unavailableRunner("a sleep is not executed: it ends at its time"),
  wait: unavailableRunner("a wait is not executed: it ends with its message"),
  subagent: unavailableRunner("a worker carries the stage out, and reports when it has ended"),
  person: unavailableRunner("people are asked, not executed: answer the request with POST /v1/approvals/{id}/respond"),
  external: unavailableRunner(
    "an external stage is not executed here: it waits for POST /v1/runs/{run_id}/stages/{node_id}/complete",
  ),
};

/** A node that exposes tools needs the agent loop, whatever its mode (spec/workflow 4.5). */
const runnerOf = (plan: StagePlan): Runner => RUNNERS[plan.run_agent_loop === true ? "agent" : plan.mode];

/** An executor for every stage mode. It keeps nothing between calls and may run anywhere. */
export const createExecutor = (config: ExecutorConfig): Executor => {
  const tools = {
    config: { ...config, fetcher: networkFetcher(config.fetcher) },
    redactor: createRedactor(config.env),
  };
  return {
    // Not async: a stage that answers at once takes no more turns than it needs.
    execute: (plan, signal, journal) =>
      executeStage(plan, signal, journal === undefined ? tools : { ...tools, journal }),
  };
};

interface Tools {
  readonly journal?: StageJournal;
  readonly config: ExecutorConfig;
  readonly redactor: Redactor;
}

/** Runs a plan within its time limit and turns every way it may end into a result (spec/workflow 5, 8.5). */
const executeStage = async (
  plan: StagePlan,
  signal: AbortSignal,
  { config, redactor, journal }: Tools,
): Promise<StageResult> => {
  if (signal.aborted) return failedStage(CANCELLED, redactor.text);
  const limit = Math.min(plan.timeout_ms, plan.http?.timeout_ms ?? plan.timeout_ms);
  let deadline: Deadline | undefined;
  const started = (): Deadline => (deadline ??= startDeadline(limit, signal));
  const runner = runnerOf(plan);
  try {
    const outcome = runner.run(plan, {
      ...config,
      redactor,
      ...(journal === undefined ? {} : { journal }),
      get signal() {
        return started().signal();
      },
    });
    if (!(outcome instanceof Promise)) return finished(outcome, redactor);
    // A race, because a handler or a binding may not listen to the signal.
    return finished(await Promise.race([outcome, started().expired]), redactor);
  } catch (error) {
    const failure = endOf(deadline, limit) ?? runner.explain(error, plan, config.now());
    return failedStage(failure, redactor.text);
  } finally {
    deadline?.stop();
  }
};

const CANCELLED: StageFailure = { category: "cancelled", message: "the execution was cancelled by its driver" };

const endOf = (deadline: Deadline | undefined, limit: number): StageFailure | undefined => {
  const ending = deadline?.ending() ?? null;
  if (ending === null) return undefined;
  if (ending === "cancelled") return CANCELLED;
  return { category: "timeout", message: `the stage did not finish within ${limit} ms` };
};

/** The result without secrets, or its refusal when it is too large to be kept. */
const finished = (outcome: Result<StageResult, StageFailure>, redactor: Redactor): StageResult => {
  if (!outcome.ok) return failedStage(outcome.error, redactor.text);
  const result = redactor.json(outcome.value);
  const excess = excessOf(result);
  if (excess === null && isObject(result)) return result;
  const message = `the stage's result has ${excess}: return less, or store it elsewhere and return its address`;
  return failedStage({ category: "generic", message }, redactor.text);
};

/** What is too large about a result; null when nothing is. */
const excessOf = (result: Json): string | null => {
  const texts = [...longTexts(result)].reduce((sum, text) => sum + byteLength(text), 0);
  if (texts > MAX_TEXT_BYTES)
    return `${texts} bytes in texts of more than ${MAX_INLINE_BYTES}, more than the limit of ${MAX_TEXT_BYTES}`;
  const size = inlineBytes(result);
  return size > MAX_RESULT_BYTES ? `${size} bytes as JSON, more than the limit of ${MAX_RESULT_BYTES}` : null;
};
