import { describe, expect, test } from "vitest";
import { promptOfAttempt } from "../../../src/engine/run/retry-feedback.ts";
import type { Json, JsonObject } from "../../../src/lib/json.ts";
import type { StagePlan } from "../../../src/schema/plan.ts";
import type { RunStageAttemptRecord } from "../../../src/schema/record.ts";
import { accepted, createRun, runFixture, step } from "../../support/run-fixture.ts";

const ended = (attempt: number, outcome: string, error: string): RunStageAttemptRecord => ({
  attempt,
  status: "failed",
  outcome,
  branch: null,
  error,
  verification: null,
  started_at: "2026-01-02T03:04:05Z",
  finished_at: "2026-01-02T03:04:06Z",
});

const told = (feedback: Json, ...attempts: readonly RunStageAttemptRecord[]): string =>
  promptOfAttempt("Task", { ended_attempts: attempts }, { feedback });

describe("what an attempt is told of the one before", () => {
  test("[W-6.9] the newest attempt that failed, by its number", () => {
    const first = ended(1, "error", "Error [timeout]: too slow");
    expect(told(true)).toBe("Task");
    expect(told(true, first)).toBe("Task\n\nPrevious attempt 1 failed: Error [timeout]: too slow");
    expect(told(true, first, ended(2, "error", "busy"), ended(3, "lost", "gone"))).toBe(
      "Task\n\nPrevious attempt 2 failed: busy",
    );
  });

  test("[W-6.9] attempts that were lost are no failures of the model", () => {
    expect(told(true, ended(1, "lost", "gone"))).toBe("Task");
  });

  test.each<[Json, number]>([
    [true, 2000],
    [{ max_chars: 10 }, 10],
    [{ max_chars: 0 }, 0],
    [{ max_chars: -1 }, 2000],
    [{}, 2000],
  ])("[W-6.9] %j tells so much of the error", (feedback, length) => {
    const text = told(feedback, ended(1, "error", "e".repeat(5000)));
    expect(text).toBe(`Task\n\nPrevious attempt 1 failed: ${"e".repeat(length)}`);
  });

  test.each<[Json]>([[null], [false], ["yes"]])("[W-6.9] %j asks for none", (feedback) => {
    expect(told(feedback, ended(1, "error", "busy"))).toBe("Task");
  });
});

test("[W-6.9] the next attempt's prompt has it, what is stored does not", () => {
  const { shell } = runFixture();
  const node = {
    kind: "stage",
    mode: "llm",
    model_policy: { session_id: "talk" },
    retry_policy: { max_attempts: 2, feedback: true },
  };
  accepted(shell, createRun({ id: "w", entry: "a", nodes: { a: node } }));
  const first = step(shell).next as StagePlan;
  const failed: JsonObject = {
    __workflow_stage_error: true,
    error: "Error [overloaded]: busy",
    error_category: "overloaded",
    retryable: true,
  };
  const second = step(shell, { attempt_token: first.attempt_token, result: failed }).next as StagePlan;
  expect(second.attempt).toBe(2);
  expect(second.prompt).toBe(`${first.prompt}\n\nPrevious attempt 1 failed: Error [overloaded]: busy`);
  step(shell, { attempt_token: second.attempt_token, result: { status: "done", text: "ok" } });
  expect(shell.state?.sessions.get("talk")?.messages.toArray()[0]).toEqual({ role: "user", content: first.prompt });
});
