import { describe, expect, it } from "vitest";
import type { AdvanceReply } from "../../../src/engine/run/command.ts";
import { projectBounded, projectPart, projectRun } from "../../../src/engine/run/project.ts";
import { accepted, createRun, DONE, driveAll, refusal, runFixture, step } from "../../support/run-fixture.ts";

const fn = (extra = {}) => ({ kind: "stage", mode: "function", function: "echo", ...extra });
const chain = { id: "wf", entry: "a", nodes: { a: fn(), b: fn() }, edges: [{ from: "a", to: "b" }] };

describe("a driven run", () => {
  it("[W-5] walks the graph in order and completes", () => {
    const { shell } = runFixture();
    accepted(shell, createRun(chain));
    expect(driveAll(shell)).toEqual(["a", "b"]);
    expect(shell.state?.status).toBe("completed");
  });

  it("[architecture 3] create with start hands out the first plan in the same commit", () => {
    const { shell, rows } = runFixture();
    const reply = accepted(shell, createRun(chain, { start: true }));
    expect(reply).toMatchObject({ type: "created", advance: { next: { node_id: "a", attempt: 1, mode: "function" } } });
    expect(rows).toHaveLength(1);
  });

  it("[architecture 2] a driven stage writes at most 3 rows, also after hundreds of stages", () => {
    const { shell, rows } = runFixture();
    accepted(
      shell,
      createRun(
        { id: "wf", entry: "a", nodes: { a: fn() }, edges: [{ from: "a", to: "a" }] },
        { options: { max_steps: 300 } },
      ),
    );
    driveAll(shell);
    const stages = rows.slice(1);
    expect(stages).toHaveLength(301);
    // The last commit also orders the list of runs to be updated.
    expect(Math.max(...stages.slice(0, -1))).toBeLessThanOrEqual(3);
    expect(Math.max(...stages)).toBeLessThanOrEqual(3);
  });

  it("[W-5.3] a loop ends paused when its steps are used up, and resume goes on", () => {
    const { shell } = runFixture();
    accepted(
      shell,
      createRun(
        { id: "wf", entry: "a", nodes: { a: fn() }, edges: [{ from: "a", to: "a" }] },
        { options: { max_steps: 3 } },
      ),
    );
    expect(driveAll(shell)).toHaveLength(3);
    expect(shell.state).toMatchObject({ status: "paused", ready: ["a"] });
    accepted(shell, { type: "resume_run" });
    expect(driveAll(shell)).toHaveLength(3);
    expect(shell.state).toMatchObject({ status: "paused", stage_count: 6 });
  });

  it("[I5] a repeated completion gets the first answer and the same next plan, and changes nothing", () => {
    const { shell } = runFixture();
    accepted(shell, createRun(chain));
    const first = step(shell);
    const complete = { attempt_token: first.next?.attempt_token ?? "", result: DONE };
    const answer = step(shell, complete);
    const seq = shell.seq;
    const again = step(shell, complete, true);
    expect(again).toEqual(answer);
    expect(shell.seq).toBe(seq);
  });

  it("[I6] a completion with an old token, or the same token and another result, is refused and changes nothing", () => {
    const { shell, clock } = runFixture();
    accepted(shell, createRun(chain));
    const lost = step(shell).next?.attempt_token ?? "";
    clock.now += 60_000;
    const second = step(shell);
    expect(second.next).toMatchObject({ node_id: "a", attempt: 2, idempotency_key: "run-1:a:1" });
    const seq = shell.seq;
    expect(
      refusal(shell, { type: "advance", live_attempts: [], complete: { attempt_token: lost, result: DONE } }).code,
    ).toBe("stale_attempt");
    expect(shell.seq).toBe(seq);
    const complete = { attempt_token: second.next?.attempt_token ?? "", result: DONE };
    step(shell, complete);
    expect(
      refusal(shell, { type: "advance", live_attempts: [], complete: { ...complete, result: { text: "other" } } }).code,
    ).toBe("stale_attempt");
  });

  it("[I7] a stage whose driver is alive is not handed out twice", () => {
    const { shell } = runFixture();
    accepted(shell, createRun(chain));
    step(shell);
    expect(step(shell, undefined, true)).toMatchObject({ next: null, waiting: "other_driver" });
  });

  it("[architecture 3] an attempt is handed over once: a second copy of the message gets nothing", () => {
    const { shell } = runFixture();
    accepted(shell, createRun(chain));
    const token = step(shell).next?.attempt_token ?? "";
    const adopt = (): AdvanceReply => {
      const reply = accepted(shell, {
        type: "advance",
        live_attempts: shell.state?.open.map((unit) => unit.attempt_token) ?? [],
        adopt: token,
      });
      if (reply.type !== "advance") throw new Error(reply.type);
      return reply.advance;
    };
    expect(adopt().next).toMatchObject({ node_id: "a", attempt: 1, idempotency_key: "run-1:a:1" });
    expect(adopt()).toMatchObject({ next: null, waiting: "other_driver" });
  });

  it("a stage whose driver is lost five times fails instead of being tried for ever", () => {
    const { shell } = runFixture();
    accepted(shell, createRun({ id: "wf", entry: "a", nodes: { a: fn() }, edges: [] }));
    for (let i = 1; i <= 5; i++) expect(step(shell).next?.attempt).toBe(i);
    expect(step(shell)).toMatchObject({ next: null, status: "completed" });
    const record = projectRun(shell.entries(), { now: 0, nextId: () => "id" });
    expect(record?.stages[0]).toMatchObject({ status: "failed", branch: "error", attempts: { length: 5 } });
  });

  it("[W-6.9] a retryable failure is tried again as the policy says, with Retry-After respected", () => {
    const { shell, clock } = runFixture();
    accepted(
      shell,
      createRun({
        id: "wf",
        entry: "a",
        nodes: { a: fn({ retry_policy: { max_attempts: 3, backoff_ms: 100 } }) },
        edges: [],
      }),
    );
    const failed = {
      __workflow_stage_error: true,
      error: "Error [rate_limit]: slow down",
      retryable: true,
      retry_after_ms: 5_000,
    };
    const first = step(shell);
    expect(step(shell, { attempt_token: first.next?.attempt_token ?? "", result: failed })).toMatchObject({
      next: null,
      waiting: "retry",
      retry_at: new Date(clock.now + 5_000).toISOString(),
    });
    expect(step(shell)).toMatchObject({ waiting: "retry" });
    clock.now += 5_000;
    const second = step(shell);
    expect(second.next?.attempt).toBe(2);
    step(shell, { attempt_token: second.next?.attempt_token ?? "", result: DONE });
    const record = projectRun(shell.entries(), { now: 0, nextId: () => "id" });
    expect(record?.stages[0]?.attempts).toMatchObject([
      { attempt: 1, status: "failed", error: "Error [rate_limit]: slow down" },
      { attempt: 2, status: "completed" },
    ]);
  });

  it("[architecture 7] pause, resume and cancel act; cancelled is final", () => {
    const { shell } = runFixture();
    accepted(shell, createRun(chain));
    const first = step(shell);
    accepted(shell, { type: "pause_run" });
    expect(step(shell, { attempt_token: first.next?.attempt_token ?? "", result: DONE })).toMatchObject({
      next: null,
      status: "paused",
    });
    accepted(shell, { type: "resume_run" });
    expect(step(shell).next?.node_id).toBe("b");
    accepted(shell, { type: "cancel_run" });
    expect(step(shell)).toMatchObject({ next: null, status: "cancelled" });
    expect(refusal(shell, { type: "resume_run" }).code).toBe("invalid_transition");
  });

  it("[W-5.2] a join waits for its inputs; an unsatisfiable one burns steps and pauses the run", () => {
    const { shell } = runFixture();
    const graph = {
      id: "wf",
      entry: "f",
      nodes: { f: { kind: "fork" }, a: fn(), b: fn(), j: { kind: "join" }, r: fn() },
      edges: [
        { from: "f", to: "a" },
        { from: "f", to: "b" },
        { from: "a", to: "j" },
        { from: "b", to: "j" },
        { from: "j", to: "r" },
      ],
    };
    accepted(shell, createRun(graph));
    expect(driveAll(shell)).toEqual(["a", "b", "r"]);
    const other = runFixture();
    accepted(
      other.shell,
      createRun({
        id: "wf",
        entry: "a",
        nodes: { a: fn(), b: fn(), j: { kind: "join" } },
        edges: [
          { from: "a", to: "j" },
          { from: "b", to: "j" },
        ],
      }),
    );
    driveAll(other.shell);
    expect(other.shell.state).toMatchObject({ status: "paused", ready: ["j"] });
  });

  it("[W-1.16] a long run's record shows its newest items and says what it leaves out; the pages show all", () => {
    const { shell } = runFixture();
    const loop = {
      id: "wf",
      entry: "a",
      nodes: { a: fn(), b: fn() },
      edges: [
        { from: "a", to: "b" },
        { from: "b", to: "a" },
      ],
    };
    accepted(shell, createRun(loop, { options: { max_steps: 30 } }));
    driveAll(shell);
    const context = { now: 0, nextId: () => "id" };
    const all = projectRun(shell.entries(), context);
    const bounded = projectBounded(shell.entries(), context, "now", { items: 10, node_ids: 8 });
    expect(bounded?.omitted).toEqual({ stages: 20, transitions: 20, checkpoints: 28, artifacts: 20 });
    expect(bounded?.record.stages).toEqual(all?.stages.slice(-10));
    expect(bounded?.record.checkpoints).toEqual(all?.checkpoints.slice(-4));
    expect(bounded?.record).toMatchObject({ status: "paused", pending_nodes: ["a"], completed_nodes: ["a", "b"] });
    expect(projectBounded(shell.entries(), context, "now", { items: 100, node_ids: 1_000 })).toEqual({
      record: all,
      omitted: null,
    });
    const pages = [0, 13, 26].flatMap(
      (from) => projectPart(shell.entries(), "checkpoints", { from, to: from + 13 })?.items ?? [],
    );
    expect(pages).toEqual(all?.checkpoints);
    expect(projectPart(shell.entries(), "stages", { from: 0, to: 30 })).toEqual({ items: all?.stages, more: false });
  });

  it("[I2] a reloaded shell folds the journal to the same state", () => {
    const fixture = runFixture();
    accepted(fixture.shell, createRun(chain, { artifacts: [{ kind: "plan", text: "p" }] }));
    step(fixture.shell);
    const reloaded = fixture.reload();
    expect(JSON.stringify(reloaded.state)).toBe(JSON.stringify(fixture.shell.state));
    expect(reloaded.quarantine).toBeNull();
  });
});
