import { describe, expect, it } from "vitest";
import { runHead } from "../../../src/engine/run/head.ts";
import { projectRun } from "../../../src/engine/run/project.ts";
import { nextWake } from "../../../src/engine/run/wake.ts";
import { accepted, createRun, DONE, refusal, runFixture, step, type RunShell } from "../../support/run-fixture.ts";

const external = {
  id: "wf",
  entry: "ask",
  nodes: {
    ask: { kind: "stage", mode: "external", retry_policy: { max_attempts: 3, backoff_ms: 1_000 } },
    b: { kind: "stage", mode: "function", function: "echo" },
  },
  edges: [{ from: "ask", to: "b" }],
};

const liveIn = (shell: RunShell, live: boolean): readonly string[] =>
  live ? (shell.state?.open.map((unit) => unit.attempt_token) ?? []) : [];

const take = (shell: RunShell, live: boolean): { readonly attempt: number; readonly attempt_token: string } => {
  const reply = accepted(shell, { type: "prepare_stage", node_id: "ask", live_attempts: liveIn(shell, live) });
  if (reply.type !== "plan") throw new Error(`not a plan: ${reply.type}`);
  return reply.plan;
};

describe("an external stage of a driven run", () => {
  it("[I7] is never given to a driver, also not when the caller who took it is lost", () => {
    const { shell, clock } = runFixture();
    accepted(shell, createRun(external));
    expect(step(shell)).toMatchObject({ next: null, waiting: "external" });
    take(shell, false);
    clock.now += 3_600_000;
    const seq = shell.seq;
    expect(step(shell)).toMatchObject({ next: null, waiting: "external" });
    accepted(shell, { type: "wake", live_attempts: [] });
    expect(shell.seq).toBe(seq);
    expect(nextWake(shell.state, () => clock.now - 1, clock.now)).toBeNull();
  });

  it("[W-4.5] is taken by one caller at a time, and again once that one's lease is over", () => {
    const { shell } = runFixture();
    accepted(shell, createRun(external));
    step(shell);
    const first = take(shell, false);
    expect(first.attempt).toBe(1);
    expect(refusal(shell, { type: "prepare_stage", node_id: "ask", live_attempts: liveIn(shell, true) }).code).toBe(
      "stage_already_prepared",
    );
    const second = take(shell, false);
    expect(second.attempt).toBe(2);
    const late = { type: "complete_stage", node_id: "ask", attempt_token: first.attempt_token, result: DONE } as const;
    expect(refusal(shell, late).code).toBe("stale_attempt");
    accepted(shell, { ...late, attempt_token: second.attempt_token });
    expect(step(shell).next?.node_id).toBe("b");
  });

  it("[W-6.9] whose attempt has failed in a way that may pass can be taken again at once", () => {
    const { shell } = runFixture();
    accepted(shell, createRun(external));
    step(shell);
    const first = take(shell, false);
    const failed = { __workflow_stage_error: true, error: "Error [timeout]: late", retryable: true };
    step(shell, { attempt_token: first.attempt_token, result: failed }, true);
    expect(take(shell, true).attempt).toBe(2);
  });

  it("[W-4.6] shows every attempt once, also when it is completed between two attempts", () => {
    const { shell } = runFixture();
    accepted(shell, createRun(external));
    step(shell);
    const first = take(shell, false);
    const failed = { __workflow_stage_error: true, error: "Error [timeout]: late", retryable: true };
    step(shell, { attempt_token: first.attempt_token, result: failed }, true);
    accepted(shell, { type: "complete_stage", node_id: "ask", attempt_token: null, result: DONE });
    const record = projectRun(shell.entries(), { now: 0, nextId: () => "id" });
    expect(record?.stages[0]?.attempts).toMatchObject([
      { attempt: 1, status: "failed" },
      { attempt: 2, status: "completed" },
    ]);
  });
});

describe("what a run orders for the lists", () => {
  const still = { id: "wf", entry: "e", nodes: { e: { kind: "escalation" } }, edges: [] };

  it("[architecture 2] a run that is over in its first commit is shown as it ended", () => {
    const { shell, store } = runFixture();
    accepted(shell, createRun(still, { start: true }));
    expect(shell.state?.status).toBe("completed");
    const rows = store.query("SELECT effect FROM outbox").map((row) => JSON.parse(String(row["effect"])) as unknown);
    expect(rows).toMatchObject([{ type: "index_run", row: { status: "completed" } }]);
  });

  it("[I2] the head row shows no run before there is one", () => {
    expect(runHead(null)).toBeNull();
  });
});
