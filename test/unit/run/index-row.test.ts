import { describe, expect, it } from "vitest";
import { indexRow } from "../../../src/engine/run/draft.ts";
import type { Run } from "../../../src/engine/run/state.ts";

describe("the row of a run in lists", () => {
  it("[api] is small, however long the texts of the run are", () => {
    const long = "x".repeat(300_000);
    const run = {
      run_id: "run_1",
      workflow_id: `worker:${long}`,
      graph: { name: long },
      options: { trigger_id: long },
      task: long,
      error: long,
      usage: { total_cost: 0 },
      status: "failed",
    };
    const row = indexRow(run as unknown as Run);
    expect(JSON.stringify(row).length).toBeLessThan(3_000);
    expect(row).toMatchObject({ run_id: "run_1", workflow_name: "x".repeat(200), error: "x".repeat(1_000) });
  });
});
