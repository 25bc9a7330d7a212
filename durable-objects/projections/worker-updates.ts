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

/** A page ends where it would become larger: what objects answer has a limit, and each event shows its worker's task. */
const MAX_PAGE_CHARACTERS = 4_000_000;

/** How many of these events fit into a page, at least one. */
const fitting = (items: readonly PlacedUpdate[]): number => {
  let size = 0;
  const end = items.findIndex((item) => {
    size += JSON.stringify(item).length;
    return size > MAX_PAGE_CHARACTERS;
  });
  return end === -1 ? items.length : Math.max(1, end);
};

/** Public events of a worker after a position: so many, or as many as fit. */
export const pageOfUpdates = (
  shell: Pick<WorkerShell, "entries" | "state">,
  after: number,
  limit: number,
): UpdatePage => {
  const found = allUpdates(shell).slice(after, after + limit + 1);
  const shown = Math.min(limit, fitting(found));
  const hasMore = found.length > shown;
  const isOver = shell.state === null || isTerminal(shell.state.status);
  return {
    items: found.slice(0, shown),
    next: hasMore ? after + shown : null,
    ended: isOver && !hasMore,
  };
};
