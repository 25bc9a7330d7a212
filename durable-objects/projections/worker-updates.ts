import { evolve } from "../../src/engine/worker/evolve.ts";
import type { WorkerCommand, WorkerEffect, WorkerReply } from "../../src/engine/worker/command.ts";
import type { WorkerEvent } from "../../src/engine/worker/event.ts";
import type { WorkerState } from "../../src/engine/worker/state.ts";
import { isTerminal } from "../../src/engine/worker/status.ts";
import { type PlacedUpdate, placedUpdate, workerUpdates } from "../../src/engine/worker/updates.ts";
import { rfc3339 } from "../../src/lib/time.ts";
import type { JournalEntry } from "../shell/journal.ts";
import type { MachineShell } from "../shell/machine-shell.ts";

/** The shell of a worker. */
export type WorkerShell = MachineShell<WorkerState, WorkerCommand, WorkerEvent, WorkerEffect, WorkerReply>;

/** Public events of a worker, and where they go on; null at the end of them. */
export interface UpdatePage {
  readonly items: readonly PlacedUpdate[];
  readonly next: number | null;
  /** Nothing follows by itself: whoever gives the worker more to do begins anew. */
  readonly ended: boolean;
}

/** The public events of a worker, read on as its journal grows (spec/workers 13). It lives as long as its reader. */
export class UpdateLog {
  #state: WorkerState = null;
  #count = 0;
  #seq = 0;

  /** The newest journal entry that was read. */
  get seq(): number {
    return this.#seq;
  }

  /** The public events of the entries that follow those read before, in order. */
  take(entries: readonly JournalEntry<WorkerEvent>[]): readonly PlacedUpdate[] {
    const found: PlacedUpdate[] = [];
    for (const { seq, at_ms, events } of entries) {
      for (const event of events) {
        const after = evolve(this.#state, event);
        for (const update of workerUpdates(event, this.#state, after)) {
          this.#count += 1;
          found.push(placedUpdate(update, { seq: this.#count, at: rfc3339(at_ms), worker: after }));
        }
        this.#state = after;
      }
      this.#seq = seq;
    }
    return found;
  }
}

/** The public events of the newest entry of a journal; what came before is read where the log has not seen it. */
export const newestUpdates = (
  log: UpdateLog,
  shell: Pick<WorkerShell, "entries">,
  entry: JournalEntry<WorkerEvent>,
): readonly PlacedUpdate[] => {
  if (log.seq < entry.seq - 1) log.take(shell.entries(log.seq).filter(({ seq }) => seq < entry.seq));
  return log.take([entry]);
};

/** Every public event of a worker, in order: they follow from its journal (spec/workers 13). */
export const allUpdates = (shell: Pick<WorkerShell, "entries">): readonly PlacedUpdate[] =>
  new UpdateLog().take(shell.entries());

/** Public events of a worker after a position. */
export const pageOfUpdates = (
  shell: Pick<WorkerShell, "entries" | "state">,
  after: number,
  limit: number,
): UpdatePage => {
  const items = allUpdates(shell).slice(after, after + limit + 1);
  const hasMore = items.length > limit;
  const isOver = shell.state === null || isTerminal(shell.state.status);
  return {
    items: hasMore ? items.slice(0, limit) : items,
    next: hasMore ? after + limit : null,
    ended: isOver && !hasMore,
  };
};
