import { describe, expect, it } from "vitest";
import { RUN } from "../../../durable-objects/migrations/journaled.ts";
import { toldWorker } from "../../../durable-objects/projections/told-worker.ts";
import { MachineShell } from "../../../durable-objects/shell/machine-shell.ts";
import { ParentNews } from "../../../durable-objects/shell/parent-news.ts";
import { performWorkerEffect } from "../../../durable-objects/shell/worker-effects.ts";
import type { WorkerPorts } from "../../../durable-objects/shell/worker-ports.ts";
import { sqliteStore } from "../../../durable-objects/storage/sqlite-store.ts";
import type { RunRequest } from "../../../durable-objects/workflow-run.ts";
import type { WorkerCommand } from "../../../src/engine/worker/command.ts";
import { workerMachine } from "../../../src/engine/worker/machine.ts";
import { workerHead } from "../../../src/engine/worker/view.ts";
import { countedContext } from "./from-snapshot.ts";
import { PARENT, spawnOf, went } from "../../support/worker-fixture.ts";

const opened = (parent: typeof PARENT | null) => {
  const store = sqliteStore();
  const context = countedContext();
  const shell = new MachineShell(
    {
      machine: workerMachine,
      store,
      migrations: RUN,
      reducerVersion: 1,
      headOf: workerHead,
      wakeAt: () => null,
      context: () => context,
      objectId: "worker",
    },
    () => {},
  );
  const tell = (command: WorkerCommand): unknown => shell.execute(command);
  const told: RunRequest[] = [];
  const ports = {
    run: () => ({
      request: async (request: RunRequest) => {
        told.push(request);
        return { ok: true, reply: { type: "noted" } };
      },
    }),
    context: () => context,
  } as unknown as WorkerPorts;
  const report = (): Promise<void> =>
    performWorkerEffect(ports, { shell, news: new ParentNews(), tell }, { type: "report", to: PARENT });
  tell(spawnOf({ parent }));
  tell({ type: "cycle_began", cycle: 1, run_id: "run_1" });
  return { shell, tell, report, told, close: () => store.close() };
};

describe("the report of a worker to its stage", () => {
  it("[L-14.3] [L-32.2] tells how it ended first, whatever it does by the time that the stage hears of it", async () => {
    const { tell, report, told, close } = opened(PARENT);
    tell({ type: "cycle_ended", cycle: 1, result: went("found") });
    tell({ type: "send_input", task: "again" });
    await report();
    tell({ type: "close" });
    await report();
    expect(told).toHaveLength(2);
    for (const request of told)
      expect(request).toMatchObject({
        type: "complete_stage",
        node_id: "ask",
        attempt_token: "token_p",
        result: { status: "completed", text: "found", worker: { status: "completed" } },
      });
    close();
  });

  it("[L-14.3] is of nobody where no stage waits", () => {
    const { shell, tell, close } = opened(null);
    tell({ type: "close" });
    expect(toldWorker(shell)).toBe(null);
    close();
  });
});
