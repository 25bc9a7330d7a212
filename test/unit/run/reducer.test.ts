import { describe, expect, test } from "vitest";
import { createReducers } from "../../../src/executor/registry.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import type { StagePlan } from "../../../src/schema/plan.ts";
import { decodeGraph } from "../../../src/schema/graph.ts";
import { validateGraph } from "../../../src/engine/graph/validate.ts";
import { accepted, createRun, DONE, driveAll, must, runFixture, step } from "../../support/run-fixture.ts";
import { run } from "../executor/plans.ts";

const graph = (node: object = {}) => ({
  id: "w",
  entry: "a",
  nodes: {
    a: { kind: "stage", mode: "function", function: "echo" },
    all: { kind: "reduce", function: "numbered", ...node },
    sad: { kind: "stage", mode: "function", function: "echo" },
  },
  edges: [
    { from: "a", to: "all" },
    { from: "all", to: "sad", branch: "error" },
  ],
});

const given = [
  { id: "one", kind: "note", text: "first", data: { n: 1 } },
  { id: "two", kind: "note", data: [2] },
];

/** A run whose reducer is about to be called. */
const atReducer = (node: object = {}) => {
  const fixture = runFixture();
  accepted(fixture.shell, createRun(graph(node), { artifacts: given }));
  const first = step(fixture.shell).next as StagePlan;
  const answer = { ...DONE, data: { answer: 42 } };
  const plan = step(fixture.shell, { attempt_token: first.attempt_token, result: answer }).next as StagePlan;
  return { ...fixture, plan };
};

const reducers = createReducers({
  numbered: (inputs) => inputs.map(({ text, data }, at) => `${at + 1}. ${text ?? JSON.stringify(data)}`).join("\n"),
  summed: (inputs) => ({ sum: inputs.length }),
  broken: () => {
    throw Object.assign(new Error("too much"), { category: "overloaded" });
  },
});

const inputs = (plan: StagePlan): readonly JsonObject[] =>
  (plan.function as unknown as { input: { inputs: readonly JsonObject[] } }).input.inputs;

describe("a reduce node with a registered reducer", () => {
  test("[W-6.2] is executed by a driver, with the selected artifacts in their order", () => {
    const { plan } = atReducer();
    expect(plan).toMatchObject({
      kind: "reduce",
      mode: "function",
      timeout_ms: 20_000,
      function: { name: "numbered" },
    });
    expect(inputs(plan).map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(inputs(plan)).toEqual(
      expect.arrayContaining([
        { text: "ok", data: { answer: 42 }, index: expect.any(Number) },
        { text: "first", data: { n: 1 }, index: expect.any(Number) },
        { text: null, data: [2], index: expect.any(Number) },
      ]),
    );
  });

  test("[W-6.2] leaves one artifact with every input as its lineage, on branch reduced", async () => {
    const { shell, plan, reload } = atReducer({ output_contract: { output_kinds: ["report"] } });
    const result = await run(plan, { reducers });
    const reply = step(shell, { attempt_token: plan.attempt_token, result });
    expect(reply).toMatchObject({ next: null, status: "completed" });
    const artifact = reload().state?.artifacts.toArray().at(-1);
    expect(artifact).toMatchObject({
      kind: "report",
      title: "reduce all output",
      stage: "all",
      text: result["text"],
      data: result["text"],
      metadata: { index: 0 },
    });
    expect(artifact?.lineage.toSorted()).toEqual(["one", shell.state?.artifacts.at(2)?.id, "two"].toSorted());
    expect(shell.state?.completions.get(plan.attempt_token)?.branch).toBe("reduced");
  });

  test("[W-6.2] what a reducer returns is read like the result of a function", async () => {
    const { shell, plan } = atReducer({ function: "summed" });
    step(shell, { attempt_token: plan.attempt_token, result: await run(plan, { reducers }) });
    expect(shell.state?.artifacts.toArray().at(-1)).toMatchObject({ text: '{"sum":3}', data: { sum: 3 } });
  });

  test("[W-5] a reducer that fails takes branch error, with its category", async () => {
    const { shell, plan } = atReducer({ function: "broken" });
    const result = await run(plan, { reducers });
    expect(result).toMatchObject({ error_category: "overloaded", error: expect.stringContaining('reducer "broken"') });
    const reply = step(shell, { attempt_token: plan.attempt_token, result });
    expect(reply.next?.node_id).toBe("sad");
  });

  test("[W-5] a reducer that nobody registered is named, with those that are", async () => {
    const { plan } = atReducer({ function: "nope" });
    expect(await run(plan, { reducers })).toMatchObject({
      error_category: "not_found",
      error: expect.stringContaining('no reducer "nope" is registered; registered: broken, numbered, summed'),
    });
    expect(await run(plan)).toMatchObject({ error: expect.stringContaining("registered: none") });
  });

  test("[W-6.9] its retry policy is honoured", () => {
    const { shell, plan } = atReducer({ retry_policy: { max_attempts: 2 } });
    const result = { __workflow_stage_error: true, error: "busy", error_category: "overloaded", retryable: true };
    expect(step(shell, { attempt_token: plan.attempt_token, result }).next).toMatchObject({
      attempt: 2,
      node_id: "all",
    });
  });

  test("[W-8.1] its input contract counts, as that of a stage", () => {
    const { shell } = runFixture();
    accepted(shell, createRun(graph({ input_contract: { min_inputs: 9 } })));
    expect(driveAll(shell)).toEqual(["a", "sad"]);
  });

  test("[W-3] without function it is static; a mode is not looked at", () => {
    const { shell } = runFixture();
    const decoded = must(decodeGraph(graph({ mode: "function", function: "" })));
    expect(validateGraph(decoded, null)).toMatchObject({ valid: true });
    accepted(shell, createRun(graph({ function: "" })));
    expect(driveAll(shell)).toEqual(["a"]);
    expect(shell.state?.artifacts.toArray().at(-1)).toMatchObject({ kind: "summary", text: "ok" });
  });
});

describe("texts that grow without end", () => {
  test("[W-6.2] a reduce node in a loop fails once its text is too long to be joined, instead of the run's object", () => {
    const { shell } = runFixture();
    const looped = {
      id: "w",
      entry: "all",
      nodes: { all: { kind: "reduce" } },
      edges: [{ from: "all", to: "all", branch: "reduced" }],
    };
    const artifacts = ["x", "y"].map((text) => ({ id: text, kind: "note", text: text.repeat(60_000) }));
    accepted(shell, createRun(looped, { artifacts, options: { max_steps: 60 } }));
    driveAll(shell);
    expect(shell.state).toMatchObject({ status: "completed" });
    const failed = shell.state?.completions
      .keys()
      .map((token) => shell.state?.completions.get(token))
      .at(-1);
    expect(failed).toMatchObject({ branch: "error", handed_in: {} });
    expect(shell.state?.stage_count).toBeLessThan(12);
  });

  test("[W-6.2] a reducer is not given more than fits into its plan", () => {
    const { shell } = runFixture();
    const artifacts = Array.from({ length: 40 }, (_, at) => ({
      id: `n${at}`,
      kind: "note",
      text: `${at}${"x".repeat(300_000)}`,
      data: `${at}${"y".repeat(300_000)}`,
    }));
    accepted(shell, createRun(graph(), { artifacts }));
    expect(driveAll(shell)).toEqual(["a", "sad"]);
  });

  test("[W-6.10] a template is not filled with more text than fits into a plan", () => {
    const { shell } = runFixture();
    const doubling = {
      id: "w",
      entry: "a",
      nodes: { a: { kind: "stage", mode: "function", function: "echo", input: "{{task}} ".repeat(500) } },
    };
    accepted(shell, createRun(doubling, { task: "x".repeat(10_000) }));
    expect(driveAll(shell)).toEqual([]);
    const [only] = shell.state?.completions.keys() ?? [];
    expect(shell.state?.completions.get(only ?? "")?.branch).toBe("error");
  });
});
