import type {
  AdvanceReply,
  CreateRun,
  NumberedStep,
  Renewal,
  RunCommand,
  RunEffect,
  RunReply,
} from "../src/engine/run/command.ts";
import { advanceAnswer, heardAnswer, stepAnswer } from "../src/engine/run/answers.ts";
import { indexRow } from "../src/engine/run/draft.ts";
import type { RunEvent } from "../src/engine/run/event.ts";
import type { LoggedRequest } from "../src/engine/run/request-view.ts";
import { runMachine } from "../src/engine/run/machine.ts";
import { isOver, runHead } from "../src/engine/run/head.ts";
import type { RunState } from "../src/engine/run/state.ts";
import { openChecks } from "../src/engine/run/open-checks.ts";
import type { JsonObject } from "../src/lib/json.ts";
import { nextWake } from "../src/engine/run/wake.ts";
import { type Answer, reject } from "../src/engine/machine.ts";
import type { Message } from "../src/engine/mailbox/state.ts";
import type { ForkSource, NoForkSource } from "../src/engine/replay/fork-source.ts";
import type { RecordedPage } from "../src/engine/replay/next-stage.ts";
import type { ReplaySource } from "../src/engine/replay/source.ts";
import { liveEvents, type LiveEvent, type LiveText, parseEventId } from "../src/engine/observe/live.ts";
import { RUN } from "./migrations/journaled.ts";
import { findArtifact, pageOfPart, type PartName, type PartPage, type PartRequest } from "./projections/run-parts.ts";
import { readAudit, readUnsettled } from "./projections/run-unsettled.ts";
import { pageOfToolCalls } from "./projections/tool-calls.ts";
import { forkSourceOf, recordingOf, replaySourceOf } from "./projections/run-source.ts";
import { readRequest } from "./projections/request-log.ts";
import { readRecord, type RecordRequest, type RecordView } from "./projections/run-record.ts";
import type { IdempotencyKey } from "./shell/idempotency.ts";
import { LeaseWatch } from "./shell/lease-watch.ts";
import { rfc3339 } from "../src/lib/time.ts";
import { uuidIds } from "../src/ports/ids.ts";
import { readSessions, type SessionQuery, type SessionsView } from "../src/engine/transcript/read-sessions.ts";
import { performRunEffect } from "./shell/run-effects.ts";
import { carriedOut } from "./shell/run-workers.ts";
import { grantLease, liveAttempts, renewLeases } from "./shell/run-leases.ts";
import type { Commit } from "./shell/machine-shell.ts";
import { MachineObject, type ObjectParts } from "./shell/machine-object.ts";
import { broadcast, openLiveSocket } from "./shell/live-sockets.ts";

/** Commands as they come from outside: which attempts are alive only the object knows. */
export type RunRequest = RunCommand extends infer C
  ? C extends { live_attempts: readonly string[] }
    ? Omit<C, "live_attempts">
    : C
  : never;

/** One workflow run (architecture 2): its journal is the run. */
export class WorkflowRun extends MachineObject<RunState, RunCommand, RunEvent, RunEffect, RunReply> {
  readonly #leases = new LeaseWatch(Date.now());

  protected parts(): ObjectParts<RunState, RunCommand, RunEvent, RunEffect, RunReply> {
    return {
      machine: runMachine,
      migrations: RUN,
      reducerVersion: 1,
      headOf: runHead,
      wakeAt: (state, now) => nextWake(state, (unit) => this.#leases.expiresAt(unit), now),
      perform: (effect) =>
        performRunEffect(this.env, { shell: this.shell, tell: (request) => this.request(request) }, effect),
      isDerived: (effect) => effect.type === "index_run",
      derive: (state) => (state === null ? [] : [{ type: "index_run", row: indexRow(state) }]),
      onAlarm: (state) => (state === null ? null : { type: "wake", live_attempts: liveAttempts(this.#leases, state) }),
    };
  }

  /** Executes a command of the API or of a driver; see `runMachine` for what each does. */
  request(request: RunRequest, key?: IdempotencyKey): Answer<RunReply> {
    const answer = this.execute(
      { ...request, live_attempts: liveAttempts(this.#leases, this.shell.state) } as RunCommand,
      key,
    );
    if (answer.ok) grantLease(this.#leases, this.shell.state, answer.reply);
    return answer;
  }

  /** Creates the run of a worker's cycle, or goes on with the one that it was; doing it again is the same. */
  carryOut(request: CreateRun): Answer<RunReply> {
    return this.request(carriedOut(this.shell, request, { now: Date.now(), nextId: uuidIds }));
  }

  /** The driver's step: one RPC and one commit for each stage (architecture 3). */
  advance(request: Omit<Extract<RunRequest, { type: "advance" }>, "type">): Answer<AdvanceReply> {
    return advanceAnswer(this.request({ type: "advance", ...request }));
  }

  /** A sign of life of the holder of some attempts; writes no row. Answers which of them are no longer wanted. */
  renew(attemptTokens: readonly string[]): Answer<Renewal> {
    const { state } = this.shell;
    if (state === null) return reject("run_not_found", "there is no such run");
    return { ok: true, reply: renewLeases(this.#leases, state, attemptTokens) };
  }

  /** Tells the run that the process of all its drivers has ended; orders a new one at once if it needs one. */
  recover(): void {
    this.#leases.expireAll();
    this.ctx.waitUntil(this.alarm());
  }

  /** A step of an agent loop, from the holder of its attempt. */
  recordStep(numbered: NumberedStep): Answer<null> {
    return stepAnswer(this.request({ type: "record_step", ...numbered }));
  }

  /** Shows a piece of text to whoever watches, without storing it; says whether anybody does. */
  showText(text: LiveText): boolean {
    return broadcast(this.ctx, () => [{ id: null, type: "text", at: rfc3339(Date.now()), data: { ...text } }]);
  }

  /** The sessions of the run, or the transcript of one; null for a run that does not exist. */
  sessions(query: SessionQuery): SessionsView | null {
    return this.shell.state === null ? null : readSessions(this.shell.state.sessions, query);
  }

  /** A message of the workflow's mailbox for a stage that waits; says whether the stage takes it. */
  hear(heard: { readonly stage_id: string; readonly message: Message }): Answer<{ readonly accepted: boolean }> {
    return heardAnswer(this.request({ type: "hear", ...heard }));
  }

  /** The run's record, as it is or as a checkpoint saw it; null for a run that does not exist. */
  record(request: RecordRequest): RecordView | null {
    return readRecord(this.shell, request);
  }

  /** One page of a part of the record. */
  part(part: PartName, request: PartRequest): PartPage | null {
    return pageOfPart(this.shell, part, request);
  }

  /** What people are asked under an id, and what has become of it; null for no such request. */
  asked(requestId: string, withLog = false): LoggedRequest | null {
    return readRequest(this.shell, requestId, withLog);
  }

  /** One page of the run's tool calls. */
  toolCalls(request: PartRequest & { readonly pending: boolean }): PartPage | null {
    return pageOfToolCalls(this.shell, request);
  }

  /** What the run has left unsettled, as far as it knows itself; null for a run that does not exist. */
  unsettled(): ReturnType<typeof readUnsettled> {
    return readUnsettled(this.shell, (unit) => this.#leases.expiresAt(unit));
  }

  /** One page of the run's audit, after a number of its count. */
  audit(request: Parameters<typeof readAudit>[1]): ReturnType<typeof readAudit> {
    return readAudit(this.shell, request);
  }

  /** An artifact of the record, without its bodies; null for a run that does not exist. */
  artifact(id: string): ReturnType<typeof findArtifact> {
    return findArtifact(this.shell, id);
  }

  /** What the texts of an attempt's result are checked for, for whoever keeps them as bodies. */
  checks(attemptToken: string): JsonObject | null {
    return openChecks(this.shell.state, attemptToken);
  }

  /** The recorded stages from a position on, for the driver of a replay. */
  recording(from: number): RecordedPage {
    return recordingOf(this.shell, from);
  }

  /** What a replay of this run is made of; null for a run that does not exist. */
  replaySource(): ReplaySource | null {
    return replaySourceOf(this.shell);
  }

  /** What a fork at a checkpoint starts from, or why there is nothing. */
  forkSource(checkpointId: string): ForkSource | NoForkSource | "run_not_found" {
    return forkSourceOf(this.shell, checkpointId);
  }

  /** Live events after an event id, oldest first. */
  events(
    after: string | null,
    limit: number,
  ): { readonly items: readonly LiveEvent[]; readonly ended: boolean } | null {
    if (this.shell.state === null) return null;
    return { items: liveEvents(this.#entriesFrom(after), after, limit), ended: isOver(this.shell.state) };
  }

  /** A WebSocket that gets every event after `?after=`; it survives hibernation. */
  override fetch(request: Request): Response {
    return openLiveSocket(this.ctx, request, (after, limit) => this.events(after, limit)?.items ?? null);
  }

  override webSocketMessage(): void {}

  override webSocketClose(socket: WebSocket): void {
    socket.close();
  }

  protected override committed(commit: Commit<RunEvent, RunEffect>): void {
    broadcast(this.ctx, () => liveEvents([commit.entry], null, Number.MAX_SAFE_INTEGER));
  }

  #entriesFrom(after: string | null): ReturnType<typeof this.shell.entries> {
    const from = after === null ? null : parseEventId(after);
    return this.shell.entries(from === null ? 0 : from.seq - 1);
  }
}
