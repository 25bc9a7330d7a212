import { type ForkSource, forkSource, type NoForkSource } from "../../src/engine/replay/fork-source.ts";
import type { RecordedPage } from "../../src/engine/replay/next-stage.ts";
import { recordedPage, type ReplaySource, replaySource } from "../../src/engine/replay/source.ts";
import { uuidIds } from "../../src/ports/ids.ts";
import type { RunShell } from "./run-record.ts";

/** The recorded stages of a run from a position on; of a run that does not exist there are none. */
export const recordingOf = (shell: RunShell, from: number): RecordedPage =>
  shell.state === null ? { from, stages: [], total: from } : recordedPage(shell.entries(), shell.state, from);

/** What a replay of the run is made of; null for a run that does not exist. */
export const replaySourceOf = (shell: RunShell): ReplaySource | null =>
  shell.state === null ? null : replaySource(shell.entries(), shell.state);

/** What a fork of the run at a checkpoint starts from, or why there is nothing. */
export const forkSourceOf = (shell: RunShell, checkpointId: string): ForkSource | NoForkSource | "run_not_found" =>
  shell.state === null
    ? "run_not_found"
    : forkSource(shell.entries(), checkpointId, { now: Date.now(), nextId: uuidIds });
