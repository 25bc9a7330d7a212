import type { DrivenRun } from "../driver/drive.ts";
import { callFinishHandler } from "../driver/finish.ts";
import { holdStub, withFreshStub } from "../driver/retry.ts";
import { drainBudget } from "../engine/finish/drain.ts";
import type { FinishCommand } from "../engine/finish/finishing.ts";
import type { LifecycleOutcome, LifecycleRequest } from "../engine/finish/command.ts";
import type { Finishing } from "../engine/finish/state.ts";
import type { Answer } from "../engine/machine.ts";
import type { RunReply } from "../engine/run/command.ts";
import type { Bindings } from "../http/call.ts";
import { drainPortsOf } from "../http/drain-ports.ts";
import { replyOf, type RunObject, runObject } from "../http/run-object.ts";
import { drainRun } from "../http/settle-run.ts";
import { tellLifecycle } from "../http/tell-lifecycle.ts";
import { unsettledOf } from "../http/unsettled-ports.ts";
import type { Json, JsonObject } from "../lib/json.ts";
import type { FinishHarness } from "../ports/finish.ts";
import { report, textOf } from "./report.ts";

/** Which attempt at the end of which run. */
export interface FinishMessage {
  readonly tenant: string;
  readonly run_id: string;
  readonly attempt_token: string;
}

/** The harness of an attempt: everything it does is done to the run, and to others, at once (spec/workers 21.9). */
const harnessOf = (env: Bindings, { tenant, run_id: runId }: FinishMessage, { attempt }: Finishing): FinishHarness => {
  const call = { env, tenant };
  const tell = async (request: LifecycleRequest): Promise<LifecycleOutcome> => {
    const told = await tellLifecycle(call, runId, { request });
    if (!told.ok) throw new Error(told.error.detail);
    return told.value;
  };
  return {
    run_id: runId,
    attempt,
    idempotency_key: `${runId}:on_finish`,
    unsettled: async () => {
      const snapshot = await unsettledOf(call, runId);
      if (snapshot === null) throw new Error(`run ${runId} is gone`);
      const { state, counts, is_empty, summary } = snapshot;
      return { state: state as unknown as JsonObject, counts: { ...counts }, is_empty, summary };
    },
    emitAudit: async (kind, payload = null) => {
      await tell({ type: "emit_audit", kind, payload });
    },
    handoffTo: async (target, payload = null) =>
      (await tell({ type: "hand_off", target, payload })).envelope?.envelope_id ?? "",
    finalize: async (disposition = null) => {
      await tell({ type: "set_disposition", disposition });
    },
    settle: async ({ budget, return_value, include_events = false }) => {
      const asked = { budget: drainBudget(budget), return_value, given_is_empty: true, include_events };
      return (await drainRun(drainPortsOf(call, runId), asked)) as unknown as JsonObject;
    },
    now: () => Date.now(),
    sleep: (ms) => scheduler.wait(ms),
  };
};

/** What a run came to: the text of its last stage; null where it has none. */
const valueOf = async (env: Bindings, { tenant, run_id: runId }: FinishMessage): Promise<Json> =>
  (await runObject(env, tenant, runId).record({}))?.record?.stages.at(-1)?.visible_text ?? null;

/** Longer texts of errors are cut: they become the run's. */
const MAX_ERROR_CHARACTERS = 2_000;

const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message || error.name : String(error)).slice(0, MAX_ERROR_CHARACTERS);

type Outcome = Extract<FinishCommand, { readonly type: "end_finish" }>["outcome"];

/**
 * Does what is to be done at the end of a run, once for each attempt: a second copy of the message finds it begun. Where this
 * is lost, the run orders another attempt (spec/workers 21.2).
 */
export const finishRun = async (env: Bindings, message: FinishMessage): Promise<void> => {
  const { tenant, run_id: runId, attempt_token } = message;
  const faults = {
    stub: holdStub(() => runObject(env, tenant, runId) as unknown as DrivenRun),
    sleep: (ms: number) => scheduler.wait(ms),
  };
  const tell = (command: FinishCommand): Promise<Answer<RunReply>> =>
    withFreshStub(faults, (stub) => (stub as unknown as RunObject).request(command));
  const begun = replyOf(await tell({ type: "begin_finish", attempt_token }), "finishing");
  if (!begun.ok || begun.reply.finishing === null) return;
  const { finishing } = begun.reply;
  let outcome: Outcome;
  try {
    const harness = harnessOf(env, message, finishing);
    outcome = { return_value: await callFinishHandler(finishing.on_finish, harness, await valueOf(env, message)) };
  } catch (error) {
    report("a finish handler failed", { run_id: runId, handler: finishing.on_finish.handler, error: textOf(error) });
    outcome = { error: messageOf(error) };
  }
  await tell({ type: "end_finish", attempt_token, outcome });
};
