import type { WorkerNews } from "../../src/engine/run/command.ts";
import { allUpdates, type WorkerShell } from "../projections/worker-updates.ts";

/**
 * What a worker has to tell the run whose stage it belongs to. How far that run has come is only remembered: after a restart
 * everything is told again, and the run takes each event once.
 */
export class ParentNews {
  #told = 0;

  /** What is new since it was told last; null for a worker that no stage was given to. */
  pending(shell: Pick<WorkerShell, "entries" | "state">): WorkerNews | null {
    const stage = shell.state?.parent;
    if (stage == null) return null;
    return { stage_id: stage.stage_id, updates: allUpdates(shell).filter(({ seq }) => seq > this.#told) };
  }

  /** The run knows these. */
  told({ updates }: WorkerNews): void {
    this.#told = Math.max(this.#told, updates.at(-1)?.seq ?? 0);
  }
}
