import { describe, expect, test } from "vitest";
import { createExecutor } from "../../../src/executor/executor.ts";
import type { StageJournal } from "../../../src/ports/stage-journal.ts";
import type { RunCommand } from "../../../src/engine/run/command.ts";
import type { StepCompaction } from "../../../src/schema/agent-step.ts";
import type { StagePlan } from "../../../src/schema/plan.ts";
import { accepted, createRun, DONE, refusal, type RunShell, runFixture, step } from "../../support/run-fixture.ts";
import { configOf } from "../executor/plans.ts";

const talk = { session_id: "talk" };

const graph = (node: object = {}) => ({
  id: "talk",
  entry: "a",
  nodes: {
    a: { kind: "stage", mode: "llm", model_policy: talk },
    b: {
      kind: "stage",
      mode: "llm",
      model_policy: talk,
      auto_compact: { enabled: true, token_threshold: 10 },
      ...node,
    },
  },
  edges: [{ from: "a", to: "b" }],
});

const planned = (shell: RunShell, complete?: Parameters<typeof step>[1]): StagePlan => {
  const { next } = step(shell, complete);
  if (next === null) throw new Error("nothing to execute");
  return next;
};

/** A run whose second stage is under way in the session that the first one has spoken in. */
const atSecond = (node: object = {}) => {
  const { shell, reload } = runFixture();
  accepted(shell, createRun(graph(node)));
  const first = planned(shell);
  const plan = planned(shell, { attempt_token: first.attempt_token, result: DONE });
  return { shell, reload, plan };
};

const compaction = (archived: number, revision = 0): StepCompaction => ({
  event: {
    keep_first: 0,
    archived,
    summary: "[auto-compacted]",
    event_id: "event_1",
    metadata: { mode: "preflight", strategy: "truncate" },
    snapshot_asset_id: null,
  },
  revision,
});

const record = (plan: StagePlan, number: number, given: StepCompaction): RunCommand => ({
  type: "record_step",
  attempt_token: plan.attempt_token,
  number,
  step: { iteration: 0, compaction: given },
});

const contents = (shell: RunShell): readonly unknown[] =>
  (shell.state?.sessions.get("talk")?.messages.toArray() ?? []).map(({ content }) => content);

describe("a model call in a session", () => {
  test("[W-14.3] its plan has the conversation, and how it is to be shortened", () => {
    const { plan } = atSecond();
    expect(plan.session).toMatchObject({
      id: "talk",
      messages: [{ role: "user" }, { role: "assistant", content: "ok" }],
    });
    expect(plan.auto_compact).toMatchObject({ enabled: true, token_threshold: 10 });
    expect(plan.progress).toMatchObject({ steps: 0, messages_from: 2 });
  });

  test("[W-14.4] nodes that ask for no compaction have none in their plan", () => {
    expect(atSecond({ auto_compact: { token_threshold: 10 } }).plan).not.toHaveProperty("auto_compact");
  });

  test("[I5] its compaction is recorded once, however often it is sent", () => {
    const { shell, reload, plan } = atSecond();
    accepted(shell, record(plan, 0, compaction(1)));
    expect(contents(shell)).toEqual(["[auto-compacted]", "ok"]);
    accepted(shell, record(plan, 0, compaction(1)));
    expect(contents(shell)).toEqual(["[auto-compacted]", "ok"]);
    expect(refusal(shell, record(plan, 2, compaction(1)))).toMatchObject({ code: "invalid_transition" });
    step(shell, { attempt_token: plan.attempt_token, result: { ...DONE, text: "two" } });
    expect(contents(reload())).toEqual(["[auto-compacted]", "ok", plan.prompt, "two"]);
  });

  test("[W-14.4] the next attempt has the shortened conversation and goes on counting", () => {
    const { shell, plan } = atSecond();
    accepted(shell, record(plan, 0, compaction(1)));
    const again = planned(shell);
    expect(again).toMatchObject({
      attempt: 2,
      session: { revision: 1, messages: [{ content: "[auto-compacted]" }, { content: "ok" }] },
      progress: { steps: 1, messages_from: 2 },
    });
  });

  test("[W-14.4] a compaction of another conversation than the one there now changes nothing", () => {
    const { shell, plan } = atSecond();
    accepted(shell, { type: "session", op: "trim", session_id: "talk", keep_last: 1 });
    accepted(shell, record(plan, 0, compaction(1)));
    expect(contents(shell)).toEqual(["ok"]);
    accepted(shell, record(plan, 1, compaction(5, 1)));
    expect(contents(shell)).toEqual(["ok"]);
    expect(planned(shell).progress).toMatchObject({ steps: 2 });
  });

  test("[W-14.3] a call in no session has nothing to record in", () => {
    const { shell } = runFixture();
    accepted(shell, createRun({ id: "w", entry: "a", nodes: { a: { kind: "stage", mode: "llm" } } }));
    const plan = planned(shell);
    expect(plan).not.toHaveProperty("session");
    expect(refusal(shell, record(plan, 0, compaction(0)))).toMatchObject({ code: "invalid_transition" });
  });

  test("[W-14.3] a result that claims to wait parks no call", () => {
    const { shell, plan } = atSecond();
    const result = { __workflow_stage_parked: true, pending: [], text: "two" };
    expect(step(shell, { attempt_token: plan.attempt_token, result })).toMatchObject({
      next: null,
      status: "completed",
    });
  });
});

test("[W-14.4] executor and run agree on a conversation that is shortened again and again", async () => {
  const { shell, reload } = runFixture();
  const auto_compact = { enabled: true, token_threshold: 2000, keep_last: 2, compact_strategy: "truncate" };
  const node = {
    kind: "stage",
    mode: "llm",
    model_policy: talk,
    auto_compact,
    script: { replies: [], default: "Yes." },
  };
  const looped = { id: "w", entry: "a", nodes: { a: node }, edges: [{ from: "a", to: "a" }] };
  accepted(shell, createRun(looped, { options: { max_steps: 12, provider: "scripted" }, task: "word ".repeat(400) }));
  const executor = createExecutor(configOf({}));
  const lengths: number[] = [];
  let plan = step(shell).next;
  while (plan !== null) {
    const { attempt_token, session } = plan;
    let number = plan.progress?.steps ?? 0;
    lengths.push(session?.messages.length ?? 0);
    const journal: StageJournal = {
      record: async (recorded) => {
        accepted(shell, { type: "record_step", attempt_token, number, step: recorded });
        number += 1;
      },
      stream: () => undefined,
    };
    const result = await executor.execute(plan, new AbortController().signal, journal);
    expect(result).toMatchObject({ status: "done", text: "Yes." });
    plan = step(shell, { attempt_token, result }).next;
  }
  expect(lengths).toHaveLength(12);
  expect(Math.max(...lengths)).toBeLessThan(10);
  expect(shell.state?.sessions.get("talk")?.revision).toBeGreaterThan(1);
  expect(contents(reload())).toEqual(contents(shell));
});
