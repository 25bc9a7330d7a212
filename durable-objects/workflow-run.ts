import type { AdvanceReply, RunCommand, RunEffect, RunReply } from "../src/engine/run/command.ts";
import { indexRow } from "../src/engine/run/draft.ts";
import type { RunEvent } from "../src/engine/run/event.ts";
import { runMachine } from "../src/engine/run/machine.ts";
import { isOver, runHead } from "../src/engine/run/head.ts";
import type { RunState } from "../src/engine/run/state.ts";
import type { StagePlan } from "../src/schema/plan.ts";
import { nextWake } from "../src/engine/run/wake.ts";
import { reject } from "../src/engine/machine.ts";
import type { ForkSource, NoForkSource } from "../src/engine/replay/fork-source.ts";
import type { RecordedPage } from "../src/engine/replay/next-stage.ts";
import type { ReplaySource } from "../src/engine/replay/source.ts";
import { liveEvents, type LiveEvent, parseEventId } from "../src/engine/observe/live.ts";
import { RUN } from "./migrations/journaled.ts";
import { pageOfPart, type PartName, type PartPage, type PartRequest } from "./projections/run-parts.ts";
import { forkSourceOf, recordingOf, replaySourceOf } from "./projections/run-source.ts";
import { readRecord, type RecordRequest, type RecordView } from "./projections/run-record.ts";
import type { IdempotencyKey } from "./shell/idempotency.ts";
import { LeaseWatch } from "./shell/lease-watch.ts";
import type { Answer, Commit } from "./shell/machine-shell.ts";
import { MachineObject, type ObjectParts } from "./shell/machine-object.ts";
import { broadcast, openLiveSocket } from "./shell/live-sockets.ts";

/** Commands as they come from outside: whether a lease is live only the object knows. */
export type RunRequest = RunCommand extends infer C
  ? C extends { lease_is_live: boolean }
    ? Omit<C, "lease_is_live">
    : C
  : never;

/** One workflow run (architecture 2): its journal is the run. */
export class WorkflowRun extends MachineObject<RunState, RunCommand, RunEvent, RunEffect, RunReply> {
  readonly #lease = new LeaseWatch(Date.now());

  protected parts(): ObjectParts<RunState, RunCommand, RunEvent, RunEffect, RunReply> {
    return {
      machine: runMachine,
      migrations: RUN,
      reducerVersion: 1,
      headOf: runHead,
      wakeAt: (state, now) => nextWake(state, this.#leaseExpiresAt(state), now),
      perform: (effect) => this.#perform(effect),
      isDerived: (effect) => effect.type === "index_run",
      derive: (state) => (state === null ? [] : [{ type: "index_run", row: indexRow(state) }]),
      onAlarm: (state) => (state === null ? null : { type: "wake", lease_is_live: this.#leaseIsLive(state) }),
    };
  }

  /** Executes a command of the API or of a driver; see `runMachine` for what each does. */
  request(request: RunRequest, key?: IdempotencyKey): Answer<RunReply> {
    const answer = this.execute({ ...request, lease_is_live: this.#leaseIsLive(this.shell.state) } as RunCommand, key);
    if (answer.ok) this.#grantLease(answer.reply);
    return answer;
  }

  /** The driver's step: one RPC and one commit for each stage (architecture 3). */
  advance(request: Omit<Extract<RunRequest, { type: "advance" }>, "type">): Answer<AdvanceReply> {
    const answer = this.request({ type: "advance", ...request });
    if (!answer.ok) return answer;
    return answer.reply.type === "advance"
      ? { ok: true, reply: answer.reply.advance }
      : reject("internal_error", "no step");
  }

  /** A sign of life of the holder of an attempt; writes no row. Answers until when the lease now lasts. */
  renew(attemptToken: string): Answer<{ readonly lease_expires_at_ms: number }> {
    const { state } = this.shell;
    if (state === null) return reject("run_not_found", "there is no such run");
    const { prepared, status } = state;
    if (prepared === null || prepared.attempt_token !== attemptToken || status === "cancelled")
      return reject("stale_attempt", "the attempt token is not the current one: stop working on this stage");
    return { ok: true, reply: { lease_expires_at_ms: this.#lease.renew(prepared, Date.now()) } };
  }

  /** Tells the run that the process of all its drivers has ended; orders a new one at once if it needs one. */
  recover(): void {
    this.#lease.expireAll();
    this.ctx.waitUntil(this.alarm());
  }

  /** The run's record, as it is or as a checkpoint saw it; null for a run that does not exist. */
  record(request: RecordRequest): RecordView | null {
    return readRecord(this.shell, request);
  }

  /** One page of a part of the record. */
  part(part: PartName, request: PartRequest): PartPage | null {
    return pageOfPart(this.shell, part, request);
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

  async #perform(effect: RunEffect): Promise<void> {
    const tenant = this.shell.state?.tenant ?? "";
    if (effect.type === "drive") await this.env.DRIVE_QUEUE.send({ v: 1, tenant, run_id: effect.run_id });
    else await this.env.INDEX_QUEUE.send({ v: 1, seq: this.shell.seq, tenant, run: effect.row });
  }

  #entriesFrom(after: string | null): ReturnType<typeof this.shell.entries> {
    const from = after === null ? null : parseEventId(after);
    return this.shell.entries(from === null ? 0 : from.seq - 1);
  }

  #leaseExpiresAt(state: RunState): number | null {
    return state?.prepared == null ? null : this.#lease.expiresAt(state.prepared);
  }

  #leaseIsLive(state: RunState): boolean {
    const expires = this.#leaseExpiresAt(state);
    return expires !== null && expires > Date.now();
  }

  #grantLease(reply: RunReply): void {
    const plan = planIn(reply);
    const prepared = this.shell.state?.prepared;
    if (plan != null && prepared != null && prepared.attempt_token === plan.attempt_token)
      this.#lease.renew(prepared, Date.now());
  }
}

/** The plan a reply hands out, if any. */
const planIn = (reply: RunReply): StagePlan | null => {
  if (reply.type === "plan") return reply.plan;
  return reply.type === "advance" || reply.type === "created" ? (reply.advance?.next ?? null) : null;
};
