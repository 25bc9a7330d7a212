import type { Answer, Context } from "../../src/engine/machine.ts";
import type { CreateRun, RunEnd } from "../../src/engine/run/command.ts";
import { delegatedNode, delegatedSpawn } from "../../src/engine/run/delegate.ts";
import { nodeSessionId } from "../../src/engine/run/session-id.ts";
import { type CycleOf, isTerminal, type Run } from "../../src/engine/run/state.ts";
import { calledSpawn, delegatedCall } from "../../src/engine/run/subagent-call.ts";
import type { SpawnWorker } from "../../src/engine/worker/command.ts";
import type { CycleFacts } from "../../src/engine/worker/cycle-result.ts";
import { DELEGATED_NODE } from "../../src/engine/worker/cycle-run.ts";
import { sessionSeeds } from "../../src/engine/transcript/session-seed.ts";
import { sessionIn, transcriptOf } from "../../src/engine/transcript/session.ts";
import type { Json, JsonObject } from "../../src/lib/json.ts";
import type { AskedSuspension } from "../../src/schema/resume-conditions.ts";
import { decodeSubagentCall } from "../../src/schema/subagent-call.ts";
import { decodeWorkerExecution } from "../../src/schema/worker-execution.ts";
import { readRecord, type RunShell } from "../projections/run-record.ts";
import type { RunRequest } from "../workflow-run.ts";
import type { WorkerPorts } from "./worker-ports.ts";

/** The worker did not take what it was told now; the outbox tells it again. */
class WorkerUnavailable extends Error {
  override readonly name = "WorkerUnavailable";
}

const mustHear = (answer: Answer<unknown>): void => {
  if (!answer.ok && answer.rejection.code === "unavailable") throw new WorkerUnavailable(answer.rejection.detail);
};

const failedCall = (error: string): JsonObject => ({
  __workflow_stage_error: true,
  status: "failed",
  text: "",
  visible_text: "",
  error,
});

/** A run that orders a worker. */
interface Spawning {
  readonly run: Run;
  readonly tell: (request: RunRequest) => unknown;
}

/** A spawn whose worker tells the webhook of its tenant, if there is one. */
const withWebhook = async (ports: WorkerPorts, command: SpawnWorker): Promise<SpawnWorker> => {
  const webhook = await ports.webhook();
  return webhook === null ? command : { ...command, webhook };
};

/** Spawns the worker of a stage under the id that the stage has; doing it again is the same worker (spec/workers 14). */
const spawnForStage = async (ports: WorkerPorts, { run, tell }: Spawning, stageId: string): Promise<void> => {
  const found = delegatedNode(run, stageId);
  if (found === null) return;
  const { node_id, attempt_token } = found.unit;
  const fail = (error: string): unknown =>
    tell({ type: "complete_stage", node_id, attempt_token, result: failedCall(error) });
  const execution = decodeWorkerExecution(found.node.metadata["execution"]);
  if (!execution.ok) return void fail(execution.error);
  const command = delegatedSpawn(run, stageId, execution.value);
  if (command === null) return;
  const answer = await ports.worker(command.worker_id).request(await withWebhook(ports, command));
  mustHear(answer);
  if (!answer.ok) fail(answer.rejection.detail);
};

/** Spawns the worker of a call under the id that the call has; where there can be none, the call is answered with why (spec/workers 15). */
const spawnForCall = async (
  ports: WorkerPorts,
  { run, tell }: Spawning,
  of: { readonly stage_id: string; readonly call_id: string },
): Promise<void> => {
  const found = isTerminal(run.status) ? null : delegatedCall(run, of);
  if (found === null) return;
  const { worker_id = "" } = found.call;
  const fail = (message: string): unknown =>
    tell({
      type: "answer_call",
      ...of,
      worker_id,
      answer: { result: { ok: false, error: { category: "tool_error", message } }, is_error: true },
    });
  const call = decodeSubagentCall(found.call.arguments);
  const command = call.ok ? calledSpawn(run, found, call.value) : call;
  if (!command.ok) return void fail(command.error);
  const answer = await ports.worker(worker_id).request(await withWebhook(ports, command.value));
  mustHear(answer);
  if (!answer.ok) fail(answer.rejection.detail);
};

/** Spawns the worker that a stage, or a call of its agent, waits for; doing it again is the same worker (spec/workers 14, 15). */
export const spawnWorker = async (
  ports: WorkerPorts,
  on: Spawning,
  { stage_id, call_id }: { readonly stage_id: string; readonly call_id?: string },
): Promise<void> =>
  call_id === undefined ? spawnForStage(ports, on, stage_id) : spawnForCall(ports, on, { stage_id, call_id });

/** Ends a worker that nobody waits for any more. */
export const closeWorker = async (ports: WorkerPorts, workerId: string): Promise<void> =>
  mustHear(await ports.worker(workerId).request({ type: "close" }));

/** What the newest stage of a run was completed with. */
const lastResult = ({ completions }: Run): JsonObject | null => {
  const token = completions.keys().at(-1);
  return token === undefined ? null : (completions.get(token)?.handed_in ?? null);
};

/** What was said in the session of the run's one node; null for another run, and where nothing was said. */
const conversationOf = ({ graph, sessions }: Run): Json => {
  const node = graph.nodes[DELEGATED_NODE];
  const id = node === undefined ? undefined : nodeSessionId(node);
  const session = sessionIn(sessions, id);
  return session === undefined || session.messages.length === 0 ? null : transcriptOf(session);
};

/** Tells a worker how the run of its cycle ended, and what it came to. */
export const reportCycle = async (
  ports: WorkerPorts,
  shell: RunShell,
  { to, end }: { readonly to: CycleOf; readonly end: RunEnd },
): Promise<void> => {
  const { state } = shell;
  const record = readRecord(shell, {}, ports.context())?.record ?? null;
  // A run that its worker continued meanwhile reports its later end.
  if (state === null || record === null || !isStill(state, to)) return;
  const facts: CycleFacts = { ...end, record, result: lastResult(state), conversation: conversationOf(state) };
  mustHear(await ports.worker(to.worker_id).cycleEnded(to.cycle, facts));
};

const isStill = ({ report_to: now }: Run, { cycle }: CycleOf): boolean =>
  now !== null && "worker_id" in now && now.cycle === cycle;

/** How many turns the open agent of a run has taken, and what was said in it; nothing where none is open. */
const spoken = ({ open, sessions }: Run): { readonly turn: number | null; readonly transcript: Json } => {
  const unit = open.find(({ loop }) => loop !== null);
  const session = unit?.session_id == null ? undefined : sessions.get(unit.session_id);
  return { turn: unit?.loop?.iterations ?? null, transcript: session === undefined ? null : transcriptOf(session) };
};

/** Tells a worker that its suspended run has come to rest. */
export const reportRest = async (
  ports: WorkerPorts,
  shell: RunShell,
  { to, asked }: { readonly to: CycleOf; readonly asked?: AskedSuspension },
): Promise<void> => {
  const { state } = shell;
  if (state === null || !isStill(state, to)) return;
  const { turn, transcript } = spoken(state);
  mustHear(
    await ports.worker(to.worker_id).request({
      type: "cycle_paused",
      cycle: to.cycle,
      turn,
      transcript,
      ...(asked === undefined ? {} : { asked: { ...asked, run_id: state.run_id } }),
    }),
  );
};

/**
 * The order for the run of a cycle as its object executes it: a new run, or the one that it has been, gone on with, with its
 * record and its conversations (spec/workers 10.3).
 */
export const carriedOut = (shell: RunShell, request: CreateRun, context: Context): CreateRun => {
  const { state } = shell;
  if (state === null) return request;
  const record = readRecord(shell, {}, context)?.record ?? undefined;
  const options = { ...request.options, ...(record === undefined ? {} : { resume_run: record }) };
  return { ...request, options, sessions: sessionSeeds(state.sessions), continues: true };
};
