import { describe, expect, it } from "vitest";
import { normalizeGraph } from "../../../src/engine/graph/normalize.ts";
import { validateGraph } from "../../../src/engine/graph/validate.ts";
import { reopenedBy } from "../../../src/engine/run/open.ts";
import type { Run } from "../../../src/engine/run/state.ts";
import { nextWake } from "../../../src/engine/run/wake.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { decodeGraph } from "../../../src/schema/graph.ts";
import { approval, asking, DAY, respond, types } from "../../support/person-run.ts";
import { accepted, counting, createRun, must, refusal, runFixture, type RunShell } from "../../support/run-fixture.ts";
import { advance, complete, fn, planIn, recordOf, runOf, says, stageOf } from "../../support/run-steps.ts";

describe("a stage that asks a question", () => {
  const id = "hitl_question_run-1_1";

  it("[L-24.3] goes on with the first answer, in the type of its default", () => {
    const { shell } = asking({ kind: "question", prompt: "How many?", default: 0 });
    advance(shell);
    respond(shell, { answer: "9" }, id);
    expect(respond(shell, { answer: "10" }, id)).toMatchObject({ counted: false, request: { outcome: { value: 9 } } });
    expect(advance(shell).next?.node_id).toBe("next");
    expect(recordOf(shell).artifacts.at(-1)?.data).toMatchObject({ text: "9", data: 9 });
    expect(stageOf(shell, "p").branch).toBe("success");
  });

  it("[L-24.3] takes its default when nobody answers in time, or times out without one", () => {
    const other = asking({ kind: "question", prompt: "How many?", default: 3, timeout_ms: 10 });
    advance(other.shell);
    other.clock.now += 10;
    expect(advance(other.shell).next?.node_id).toBe("next");
    expect(recordOf(other.shell).artifacts.at(-1)?.data).toMatchObject({ data: 3 });
    const { shell, clock } = asking({ kind: "question", prompt: "How many?", timeout_ms: 10 });
    advance(shell);
    clock.now += 10;
    expect(advance(shell).next?.node_id).toBe("timeout");
    expect(types(shell)).toEqual(["hitl.question_asked", "hitl.timeout"]);
  });

  it("[L-24.3] refuses an answer that does not fit its schema", () => {
    const { shell } = asking({ kind: "question", prompt: "How many?", schema: { type: "integer" } });
    advance(shell);
    const response = { request_id: id, answer: "many" };
    expect(refusal(shell, { type: "answer_request", response, misfit: "answer: no integer" })).toMatchObject({
      code: "invalid_request",
      detail: "answer: no integer",
    });
    expect(respond(shell, { answer: 2 }, id).request.status).toBe("answered");
  });
});

describe("dual control", () => {
  const id = "hitl_dual_control_run-1_1";
  const dual: JsonObject = {
    kind: "dual_control",
    n: 2,
    m: 3,
    approvers: ["ann", "bob", "cy"],
    handler: "launch",
    input: { where: "{{task}}" },
  };

  it("[L-24.6] has a driver carry out the action once n have approved", () => {
    const { shell } = asking(dual);
    advance(shell);
    respond(shell, { approved: true, reviewer: "ann" }, id);
    expect(advance(shell)).toMatchObject({ next: null, waiting: "person" });
    respond(shell, { approved: true, reviewer: "cy" }, id);
    const plan = planIn(advance(shell));
    expect(plan).toMatchObject({
      node_id: "p",
      mode: "function",
      attempt: 1,
      function: { name: "launch", input: { where: "do it" } },
    });
    expect(complete(shell, plan, { ...says("launched"), data: { ok: true } }).next?.node_id).toBe("approved");
    expect(recordOf(shell).artifacts.at(-1)?.data).toMatchObject({
      text: "launched",
      data: { ok: true },
      approval: { approved: true, reviewers: ["ann", "cy"] },
    });
    expect(types(shell).slice(-2)).toEqual(["hitl.dual_control_approved", "hitl.dual_control_executed"]);
  });

  it("[L-24.6] shows what it releases, and carries nothing out that was denied", () => {
    const { shell } = asking(dual);
    advance(shell);
    expect(respond(shell, { approved: false, reviewer: "bob" }, id).request).toMatchObject({
      status: "denied",
      prompt: "launch",
      metadata: { n: 2, m: 3, release: { function: "launch", input: { where: "do it" } } },
    });
    expect(advance(shell).next?.node_id).toBe("denied");
  });

  it("[L-24.6] shows the input that the function gets where its node gives none", () => {
    const { input: _input, ...bare } = dual;
    const { shell } = asking(bare);
    advance(shell);
    const input = { task: "do it", text: null, data: null };
    const { request } = respond(shell, { approved: true, reviewer: "ann" }, id);
    expect(request.metadata).toMatchObject({ release: { function: "launch", input } });
    respond(shell, { approved: true, reviewer: "bob" }, id);
    expect(planIn(advance(shell)).function).toEqual({ name: "launch", input });
  });

  it("[L-24.6] is not executed where its action fails, and may be tried again", () => {
    const { shell } = asking(dual);
    advance(shell);
    for (const reviewer of ["ann", "bob"]) respond(shell, { approved: true, reviewer }, id);
    const plan = planIn(advance(shell));
    const failed = { __workflow_stage_error: true, status: "failed", text: "", visible_text: "", error: "no fuel" };
    expect(complete(shell, plan, failed).next?.node_id).toBe("error");
    expect(types(shell)).not.toContain("hitl.dual_control_executed");
    expect(stageOf(shell, "p")).toMatchObject({ status: "failed", branch: "error" });
  });
});

describe("an escalation", () => {
  it("[L-24.7] waits for ever, until somebody accepts it", () => {
    const { shell, clock } = asking({ kind: "escalation", role: "lead", reason: "stuck" });
    advance(shell);
    expect(nextWake(shell.state, () => 0, clock.now)).toBeNull();
    const id = "hitl_escalation_run-1_1";
    expect(respond(shell, { accepted: false, reviewer: "busy" }, id)).toMatchObject({ counted: false });
    clock.now += 100 * DAY;
    respond(shell, { accepted: true, reviewer: "lea" }, id);
    expect(advance(shell).next?.node_id).toBe("accepted");
    expect(recordOf(shell).artifacts.at(-1)?.data).toMatchObject({
      data: { status: "accepted", role: "lead", reason: "stuck", reviewer: "lea" },
    });
  });
});

const done = (shell: RunShell): void => {
  for (let reply = advance(shell); reply.next !== null; reply = complete(shell, reply.next));
};

describe("many answers", () => {
  it("[L-24.5] are recorded up to a bound where they change nothing, and the one that counts always is", () => {
    const { shell } = asking({ kind: "escalation", role: "lead", reason: "stuck" });
    advance(shell);
    const id = "hitl_escalation_run-1_1";
    for (let times = 0; times < 210; times += 1) respond(shell, { accepted: false, reviewer: "busy" }, id);
    expect(types(shell)).toHaveLength(201);
    expect(respond(shell, { accepted: true, reviewer: "lea" }, id).request.status).toBe("accepted");
  });
});

describe("a run made from one that asked people", () => {
  const graph: JsonObject = {
    entry: "p",
    nodes: { p: { kind: "stage", mode: "person", person: { ...approval, quorum: 1 } }, approved: fn() },
    edges: [{ from: "p", to: "approved", branch: "approved" }],
  };

  it("[W-12.5] replays what they decided without asking again", () => {
    const first = runOf(graph);
    advance(first.shell);
    respond(first.shell, { approved: true, reviewer: "ann" });
    done(first.shell);
    const record = recordOf(first.shell);
    expect(record.status).toBe("completed");
    const { shell } = runOf(graph, {
      run_id: "run-2",
      options: { replay_mode: "deterministic", replay_run: record as unknown as JsonObject },
    });
    done(shell);
    expect(shell.state?.status).toBe("completed");
    expect(recordOf(shell).stages.map(({ node_id, branch }) => [node_id, branch])).toEqual(
      record.stages.map(({ node_id, branch }) => [node_id, branch]),
    );
    expect(types(shell)).toEqual([]);
  });

  it("[L-24] asks anew in a fork what was open where it begins: an approval is of one run alone", () => {
    const { shell } = asking(approval);
    advance(shell);
    respond(shell, { approved: true, reviewer: "ann" });
    const [reopened] = reopenedBy(shell.state as Run);
    expect(reopened).toMatchObject({
      node_id: "p",
      prepared: { work: { type: "person", request_id: "", asked: { action: "deploy", quorum: 2 } } },
    });
    const fork = { steps: 1, open: reopenedBy(shell.state as Run) };
    const resume_run = { ...recordOf(shell), id: "run-2", pending_nodes: [] };
    const command = createRun({ id: "wf", ...graph }, { run_id: "run-2" });
    const made = runFixture();
    accepted(made.shell, { ...command, options: { ...command.options, resume_run, fork } });
    expect(advance(made.shell)).toMatchObject({ next: null, waiting: "person" });
    const asked = made.shell.state?.requests.get("hitl_approval_run-2_1")?.request;
    expect(asked).toMatchObject({ status: "open", tally: { reviewers: [] }, asking: { run_id: "run-2" } });
  });
});

const errorsOf = (person: JsonObject, branch: string | null): readonly string[] => {
  const graph = {
    id: "g",
    entry: "p",
    nodes: { p: { mode: "person", person }, n: fn() },
    edges: [{ from: "p", to: "n", branch }],
  };
  return validateGraph(normalizeGraph(must(decodeGraph(graph)), counting()), null).errors;
};

describe("a graph that asks people", () => {
  it("[L-24.4] says with a branch what follows a decision: a denial never takes an edge that everything takes", () => {
    expect(errorsOf(approval, null)).toEqual([
      "node p: say with a branch (approved, denied, timeout) which decision each of its edges follows",
    ]);
    expect(errorsOf(approval, "approved")).toEqual([]);
    expect(errorsOf({ kind: "question", prompt: "?" }, null)).toEqual([]);
  });

  it("[L-24.4] is refused with the words of the specification", () => {
    expect(errorsOf({ ...approval, quorum: 0 }, "approved")).toEqual([
      "node p: request_approval: quorum must be positive",
    ]);
    expect(errorsOf({ ...approval, quorum: 3 }, "approved")).toEqual([
      "node p: 3 approvals cannot come from 2 reviewers",
    ]);
  });
});
