import { describe, expect, it } from "vitest";
import { runRound, webhookRound } from "../../src/local/crash/round.ts";
import { STAGES } from "../../src/local/crash/run-round.ts";

/** Two starts of the engine and a run of 100 stages; a busy machine takes its time. */
const TIMEOUT_MS = 120_000;

describe("a server that is killed in the middle of its work", () => {
  it.each(["tree", "server", "runtime"] as const)(
    "keeps what a run has acknowledged and completes each node once (%s)",
    async (victim) => {
      const round = await runRound(victim);
      expect(round.faults).toEqual([]);
      expect(round.acknowledged).toBeGreaterThan(0);
      expect(round.killed_after).toBeLessThan(STAGES);
      // Only the stage that was at work when the process died may have called twice.
      expect(round.repeated_calls).toBeLessThanOrEqual(1);
    },
    TIMEOUT_MS,
  );

  it(
    "has a run for every webhook it has answered",
    async () => {
      const round = await webhookRound();
      expect(round.faults).toEqual([]);
      expect(round.acknowledged).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );
});
