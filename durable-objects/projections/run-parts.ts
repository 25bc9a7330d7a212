import type { Json } from "../../src/lib/json.ts";
import { projectRun } from "../../src/engine/run/project.ts";
import { uuidIds } from "../../src/ports/ids.ts";
import type { RunShell } from "./run-record.ts";

/** The lists of a run's record that can be read a page at a time. */
export const RUN_PARTS = ["stages", "artifacts", "transitions", "checkpoints"] as const;

export type PartName = (typeof RUN_PARTS)[number];

/** A page: at most `limit` items after the first `cursor`. */
export interface PartRequest {
  readonly limit: number;
  readonly cursor: number;
}

export interface PartPage {
  readonly items: readonly Json[];
  readonly next_cursor: number | null;
}

/** One page of a part of the run's record; null for a run that does not exist. */
export const pageOfPart = (shell: RunShell, part: PartName, request: PartRequest): PartPage | null => {
  const record = projectRun(shell.entries(), { now: Date.now(), nextId: uuidIds });
  if (record === null) return null;
  const end = request.cursor + request.limit;
  return {
    items: record[part].slice(request.cursor, end) as unknown as readonly Json[],
    next_cursor: end < record[part].length ? end : null,
  };
};
