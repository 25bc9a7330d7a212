import { MachineShell } from "../../durable-objects/shell/machine-shell.ts";
import { JOURNALED } from "../../durable-objects/migrations/journaled.ts";
import { sqliteStore, type SqliteStore } from "../../durable-objects/storage/sqlite-store.ts";
import type { AdvanceReply, CreateRun, RunCommand, RunEffect, RunReply } from "../../src/engine/run/command.ts";
import type { RunEvent } from "../../src/engine/run/event.ts";
import { runHead } from "../../src/engine/run/head.ts";
import { runMachine } from "../../src/engine/run/machine.ts";
import type { RunState } from "../../src/engine/run/state.ts";
import { nextWake } from "../../src/engine/run/wake.ts";
import type { Json, JsonObject } from "../../src/lib/json.ts";
import { decodeArtifacts } from "../../src/schema/artifact.ts";
import { decodeGraph } from "../../src/schema/graph.ts";
import { decodeRunOptions } from "../../src/schema/run.ts";
import { normalizeArtifact } from "../../src/engine/artifact/normalize.ts";

export type RunShell = MachineShell<RunState, RunCommand, RunEvent, RunEffect, RunReply>;

/** A clock and ids that depend on nothing but the calls made. */
export const counting = (): { now: number; nextId: (prefix: string) => string } => {
  let next = 0;
  return {
    now: 1_000_000,
    nextId: (prefix) => {
      next += 1;
      const id = `00000000-0000-7000-8000-${String(next).padStart(12, "0")}`;
      return prefix === "" ? id : `${prefix}_${id}`;
    },
  };
};

export interface RunFixture {
  readonly shell: RunShell;
  readonly store: SqliteStore;
  readonly clock: ReturnType<typeof counting>;
  readonly rows: number[];
  readonly reload: () => RunShell;
}

/** The real shell of a run on a real database, with a clock the test moves. */
export const runFixture = (store: SqliteStore = sqliteStore(), clock = counting()): RunFixture => {
  const rows: number[] = [];
  const open = (): RunShell =>
    new MachineShell(
      {
        machine: runMachine,
        store,
        migrations: JOURNALED,
        reducerVersion: 1,
        headOf: runHead,
        wakeAt: (state, now) => nextWake(state, () => now, now),
        context: () => ({ now: clock.now, nextId: clock.nextId }),
        objectId: "object",
      },
      (commit) => rows.push(commit.rows_written),
    );
  return { shell: open(), store, clock, rows, reload: open };
};

/** A value that must be there. */
export const must = <T>(result: { readonly ok: boolean; readonly value?: T; readonly error?: unknown }): T => {
  if (!result.ok) throw new Error(`unexpected error: ${JSON.stringify(result.error)}`);
  return result.value as T;
};

/** A command that creates a run of a graph given as JSON. */
export const createRun = (
  graph: Json,
  more: Omit<Partial<CreateRun>, "artifacts" | "options"> & { readonly artifacts?: Json; readonly options?: Json } = {},
): CreateRun => {
  const { artifacts = [], options = {}, ...rest } = more;
  const context = counting();
  return {
    type: "create_run",
    tenant: "default",
    run_id: "run-1",
    task: "do it",
    graph: must(decodeGraph(graph)),
    artifacts: must(decodeArtifacts(artifacts)).map((artifact) => normalizeArtifact(artifact, context)),
    options: must(decodeRunOptions(options)),
    drive: "auto",
    ...rest,
  } as CreateRun;
};

/** The reply of a command that must be accepted. */
export const accepted = (shell: RunShell, command: RunCommand): RunReply => {
  const answer = shell.execute(command);
  if (!answer.ok) throw new Error(`refused: ${answer.rejection.code}: ${answer.rejection.detail}`);
  return answer.reply;
};

/** The refusal of a command that must be refused. */
export const refusal = (shell: RunShell, command: RunCommand): { readonly code: string; readonly detail: string } => {
  const answer = shell.execute(command);
  if (answer.ok) throw new Error(`accepted: ${JSON.stringify(answer.reply)}`);
  return answer.rejection;
};

/** One driver step. */
export const step = (
  shell: RunShell,
  complete?: { attempt_token: string; result: JsonObject },
  live = false,
): AdvanceReply => {
  const reply = accepted(shell, {
    type: "advance",
    live_attempts: live ? (shell.state?.open.map((unit) => unit.attempt_token) ?? []) : [],
    ...(complete === undefined ? {} : { complete }),
  });
  if (reply.type !== "advance") throw new Error(`not a step: ${reply.type}`);
  return reply.advance;
};

/** Drives a run to its end with one result for every stage; returns the node ids in the order of execution. */
export const driveAll = (shell: RunShell, resultOf: (nodeId: string) => JsonObject = () => DONE): string[] => {
  const executed: string[] = [];
  let reply = step(shell);
  while (reply.next !== null || reply.more === true) {
    if (reply.next === null) reply = step(shell);
    else {
      executed.push(reply.next.node_id);
      reply = step(shell, { attempt_token: reply.next.attempt_token, result: resultOf(reply.next.node_id) });
    }
  }
  return executed;
};

export const DONE: JsonObject = { status: "completed", text: "ok", visible_text: "ok" };
