import type { Context } from "../../src/engine/machine.ts";
import type { RunCommand, RunEffect, RunReply } from "../../src/engine/run/command.ts";
import type { RunEvent } from "../../src/engine/run/event.ts";
import type { PreparedStage, Run, RunState } from "../../src/engine/run/state.ts";
import { isOver } from "../../src/engine/run/head.ts";
import { type Omitted, projectBounded, type RecordBounds } from "../../src/engine/run/project.ts";
import { enrichRunRecord } from "../../src/engine/observe/enrich.ts";
import { rfc3339 } from "../../src/lib/time.ts";
import { uuidIds } from "../../src/ports/ids.ts";
import type { RunRecord } from "../../src/schema/record.ts";
import type { MachineShell } from "../shell/machine-shell.ts";

/** The shell of a run. */
export type RunShell = MachineShell<RunState, RunCommand, RunEvent, RunEffect, RunReply>;

/** Which moment of the run to show; the newest when no checkpoint is named. */
export interface RecordRequest {
  readonly checkpoint_id?: string;
}

/** What the run is waiting for, for people. */
export interface RunWaiting {
  readonly reason: "external" | "retry" | "sleep" | "message" | "person" | "worker" | "tool_call";
  readonly node_id: string;
  readonly stage_id: string;
  readonly until: string | null;
}

/** A run's record and what the record has no place for. */
export interface RecordView {
  /** Null when the run has no such checkpoint. */
  readonly record: RunRecord | null;
  readonly drive: Run["drive"];
  readonly steps: number;
  readonly waiting: RunWaiting | null;
  /** The reason a paused run was paused for. */
  readonly paused_by: string | null;
  /** What the record of a long run leaves out of its lists; their own pages show everything. */
  readonly omitted: Omitted;
  /** The stage that was prepared first of those that are open. */
  readonly prepared: OpenUnit | null;
  /** Every stage and branch that is open, in the order in which they were prepared. */
  readonly open: readonly OpenUnit[];
}

/** A stage or a branch of a map that is not completed, as a record shows it. */
export interface OpenUnit {
  readonly stage_id: string;
  readonly node_id: string;
  readonly attempt: number;
}

/** A record has to fit into one answer of the object and into its memory. */
const BOUNDS: RecordBounds = { items: 1_000, node_ids: 200_000 };

const REASONS: Readonly<Partial<Record<PreparedStage["mode"], RunWaiting["reason"]>>> = {
  external: "external",
  command: "external",
  sleep: "sleep",
  wait: "message",
  subagent: "worker",
  person: "person",
};

const unitWaiting = ({ node_id, stage_id, ...unit }: PreparedStage): RunWaiting | null => {
  const reason = unit.holder === "nobody" ? (unit.loop === null ? REASONS[unit.mode] : "tool_call") : undefined;
  if (reason !== undefined)
    return { reason, node_id, stage_id, until: unit.deadline_ms === null ? null : rfc3339(unit.deadline_ms) };
  return unit.retry_at_ms === null ? null : { reason: "retry", node_id, stage_id, until: rfc3339(unit.retry_at_ms) };
};

/** What the run waits for when each of its open stages waits; null while somebody works on one. */
const waitingOf = (run: Run): RunWaiting | null => {
  const stages = run.open.filter((unit) => unit.map === null && unit.settled === null).map(unitWaiting);
  return stages.includes(null) ? null : (stages[0] ?? null);
};

const openUnit = ({ stage_id, node_id, attempt }: PreparedStage): OpenUnit => ({ stage_id, node_id, attempt });

/**
 * Reads the record of a run with everything that saving it adds (spec/workflow 12.1) and what it has used so far; null
 * for a run that does not exist.
 */
export const readRecord = (
  shell: RunShell,
  request: RecordRequest,
  context: Context = { now: Date.now(), nextId: uuidIds },
): RecordView | null => {
  const run = shell.state;
  if (run === null) return null;
  const until = request.checkpoint_id === undefined ? "now" : { checkpoint_id: request.checkpoint_id };
  const projected = projectBounded(shell.entries(), context, until, BOUNDS);
  const shown = projected === null || until !== "now" ? projected?.record : { ...projected.record, usage: run.usage };
  const isAtWork = !isOver(run);
  const open = isAtWork ? run.open.filter((unit) => unit.settled === null).map(openUnit) : [];
  return {
    record: shown === undefined ? null : enrichRunRecord(shown, context),
    omitted: projected?.omitted ?? null,
    drive: run.drive,
    steps: run.steps,
    waiting: isAtWork ? waitingOf(run) : null,
    paused_by: run.status === "paused" ? (run.paused_by ?? null) : null,
    prepared: open[0] ?? null,
    open,
  };
};
