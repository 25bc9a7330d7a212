import { afterEach, describe, expect, it } from "vitest";
import { RUN } from "../../../durable-objects/migrations/journaled.ts";
import { drainOutbox } from "../../../durable-objects/shell/drain.ts";
import { MachineShell } from "../../../durable-objects/shell/machine-shell.ts";
import { isDerivedOfWorker } from "../../../durable-objects/shell/worker-effects.ts";
import { sqliteStore, type SqliteStore } from "../../../durable-objects/storage/sqlite-store.ts";
import type { WorkerCommand } from "../../../src/engine/worker/command.ts";
import { workerMachine } from "../../../src/engine/worker/machine.ts";
import { nextWorkerWake } from "../../../src/engine/worker/resume.ts";
import { workerHead } from "../../../src/engine/worker/view.ts";
import { PARENT, spawnOf, went } from "../../support/worker-fixture.ts";

const opened: SqliteStore[] = [];

/** The tables of an object, once; and that of its outbox, once it has sent something that nothing else would repeat. */
const SCHEMA = 7;
const OUTBOX = 2;

/** The rows that each command of a worker costs, the removal of what it sent included. */
const costs = async (commands: readonly WorkerCommand[]): Promise<readonly number[]> => {
  const store = sqliteStore();
  opened.push(store);
  let now = 1_000;
  const shell = new MachineShell(
    {
      machine: workerMachine,
      store,
      migrations: RUN,
      reducerVersion: 1,
      headOf: workerHead,
      wakeAt: nextWorkerWake,
      isDerived: isDerivedOfWorker,
      context: () => ({ now, nextId: (prefix) => `${prefix}_${now}` }),
      objectId: "worker",
    },
    () => {},
  );
  const rows: number[] = [];
  for (const command of commands) {
    const before = store.rowsWritten();
    now += 1_000;
    expect(shell.execute(command)).toMatchObject({ ok: true });
    await drainOutbox(
      store,
      async () => {},
      () => now,
      (error) => {
        throw error;
      },
    );
    rows.push(store.rowsWritten() - before);
  }
  return rows;
};

const BEGAN: WorkerCommand = { type: "cycle_began", cycle: 1, run_id: "run_1" };
const ENDED: WorkerCommand = { type: "cycle_ended", cycle: 1, result: went("done") };

afterEach(() => {
  for (const store of opened.splice(0)) store.close();
});

describe("rows of what a worker is told", () => {
  it("[architecture 2] a cycle: a row and its head when it is ordered, when it began and when it has ended", async () => {
    const [spawned = 0, began, ended] = await costs([spawnOf(), BEGAN, ENDED]);
    const again = await costs([spawnOf(), BEGAN, ENDED, { type: "send_input", task: "more" }]);
    expect({ spawned, began, ended, again: again.at(-1) }).toEqual({
      spawned: SCHEMA + 2,
      began: 2,
      ended: 2,
      again: 2,
    });
  });

  it("[architecture 2] its parent's stage: what is sent there, and its removal", async () => {
    const [, , alone = 0] = await costs([spawnOf(), BEGAN, ENDED]);
    const [, , told = 0] = await costs([spawnOf({ parent: PARENT }), BEGAN, ENDED]);
    expect(told - alone).toBe(OUTBOX + 2);
  });

  it("[L-17] a suspension and its end: as much each, and two for what its run is told; its rest is one row", async () => {
    const rows = await costs([
      spawnOf(),
      BEGAN,
      { type: "suspend", reason: "lunch", initiator: "operator", conditions: null },
      { type: "cycle_paused", cycle: 1, turn: 1, transcript: null },
      { type: "resume", input: null, continue_transcript: true, initiator: "operator", trigger_event: null },
    ]);
    expect(rows.slice(2)).toEqual([OUTBOX + 4, 1, 4]);
  });
});
