import { evolve } from "../../src/engine/worker/evolve.ts";
import type { WorkerCommand, WorkerEffect, WorkerReply } from "../../src/engine/worker/command.ts";
import type { WorkerEvent } from "../../src/engine/worker/event.ts";
import type { WorkerState } from "../../src/engine/worker/state.ts";
import { type WorkerUpdate, workerUpdates } from "../../src/engine/worker/updates.ts";
import { rfc3339 } from "../../src/lib/time.ts";
import type { MachineShell } from "../shell/machine-shell.ts";

/** The shell of a worker. */
export type WorkerShell = MachineShell<WorkerState, WorkerCommand, WorkerEvent, WorkerEffect, WorkerReply>;

/** A public event of a worker with its place: they are counted from 1. */
export interface PlacedUpdate extends WorkerUpdate {
  readonly seq: number;
  /** RFC 3339. */
  readonly at: string;
}

/** Public events of a worker, and where they go on; null at the end of them. */
export interface UpdatePage {
  readonly items: readonly PlacedUpdate[];
  readonly next: number | null;
}

/** Every public event of a worker, in order: they follow from its journal (spec/workers 13). */
export const allUpdates = (shell: Pick<WorkerShell, "entries">): readonly PlacedUpdate[] => {
  const found: PlacedUpdate[] = [];
  let state: WorkerState = null;
  for (const { events, at_ms } of shell.entries())
    for (const event of events) {
      const after = evolve(state, event);
      for (const update of workerUpdates(event, state, after))
        found.push({ seq: found.length + 1, at: rfc3339(at_ms), ...update });
      state = after;
    }
  return found;
};

/** Public events of a worker after a position. */
export const pageOfUpdates = (shell: Pick<WorkerShell, "entries">, after: number, limit: number): UpdatePage => {
  const items = allUpdates(shell).slice(after, after + limit + 1);
  const hasMore = items.length > limit;
  return { items: hasMore ? items.slice(0, limit) : items, next: hasMore ? after + limit : null };
};
