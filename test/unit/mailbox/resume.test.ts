import { describe, expect, it } from "vitest";
import { accepted, createRun, runFixture } from "../../support/run-fixture.ts";

const GRAPH = {
  id: "wf",
  entry: "a",
  nodes: { a: { kind: "stage", mode: "function", function: "echo" } },
  edges: [],
};

const BY_MAILBOX = { type: "resume_run", only_if_paused_by: "mailbox" } as const;

describe("resuming what a mailbox has paused", () => {
  it("[W-19.15] leaves a run alone that was paused for another reason, or for none", () => {
    for (const reason of [{ reason: "by hand" }, {}]) {
      const { shell } = runFixture();
      accepted(shell, createRun(GRAPH));
      accepted(shell, { type: "pause_run", ...reason });
      accepted(shell, { type: "pause_run", reason: "mailbox" });
      expect(accepted(shell, BY_MAILBOX)).toMatchObject({ control: { status: "paused" } });
      expect(accepted(shell, { type: "resume_run" })).toMatchObject({ control: { status: "running" } });
    }
  });

  it("[W-19.15] resumes a run that the mailbox has paused, and not one that was paused by hand after that", () => {
    const { shell } = runFixture();
    accepted(shell, createRun(GRAPH));
    accepted(shell, { type: "pause_run", reason: "mailbox" });
    expect(accepted(shell, BY_MAILBOX)).toMatchObject({ control: { status: "running" } });
    expect(accepted(shell, BY_MAILBOX)).toMatchObject({ control: { status: "running" } });
    accepted(shell, { type: "pause_run" });
    expect(accepted(shell, BY_MAILBOX)).toMatchObject({ control: { status: "paused" } });
  });
});
