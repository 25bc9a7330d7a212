import { describe, expect, it } from "vitest";
import { liveEvents } from "../../../src/engine/observe/live.ts";
import { nextWake } from "../../../src/engine/run/wake.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { normalizeGraph } from "../../../src/engine/graph/normalize.ts";
import { validateGraph } from "../../../src/engine/graph/validate.ts";
import { reopenedBy } from "../../../src/engine/run/open.ts";
import type { Run } from "../../../src/engine/run/state.ts";
import { decodeGraph } from "../../../src/schema/graph.ts";
import {
  accepted,
  counting,
  createRun,
  must,
  refusal,
  type RunFixture,
  runFixture,
  type RunShell,
} from "../../support/run-fixture.ts";
import { advance, complete, fn, planIn, recordOf, runOf, says, stageOf } from "../../support/run-steps.ts";

const START = 1_000_000;
const DAY = 86_400_000;

const BRANCHES = ["approved", "denied", "timeout", "accepted", "error"];

const asking = (person: JsonObject, more: Parameters<typeof runOf>[1] = {}): RunFixture =>
  runOf(
    {
      entry: "p",
      nodes: {
        p: { kind: "stage", mode: "person", person },
        next: fn(),
        ...Object.fromEntries(BRANCHES.map((branch) => [branch, fn()])),
      },
      edges: [
        ...(person["kind"] === "question" || person["kind"] === "escalation" ? [{ from: "p", to: "next" }] : []),
        ...BRANCHES.map((branch) => ({ from: "p", to: branch, branch })),
      ],
    },
    more,
  );

const approval: JsonObject = { kind: "approval", action: "deploy", reviewers: ["ann", "bob"], quorum: 2 };

const respond = (shell: RunShell, response: JsonObject, id = `hitl_approval_run-1_1`) => {
  const reply = accepted(shell, { type: "answer_request", response: { request_id: id, ...response } });
  if (reply.type !== "answered") throw new Error(`not an answer: ${reply.type}`);
  return reply;
};

const types = (shell: RunShell): readonly string[] =>
  liveEvents(shell.entries(), null, 1_000)
    .map(({ type }) => type)
    .filter((type) => type.startsWith("hitl."));

describe("a stage that asks for an approval", () => {
  it("[L-24.4] is nobody's, wakes the run at its deadline only, and goes on once enough have approved", () => {
    const { shell, clock, rows } = asking(approval);
    expect(advance(shell)).toMatchObject({ next: null, status: "running", waiting: "person" });
    expect(nextWake(shell.state, () => 0, clock.now)).toBe(START + DAY);
    rows.length = 0;
    expect(respond(shell, { approved: true, reviewer: "bob" })).toMatchObject({
      counted: true,
      request: { status: "open", approved_by: ["bob"], approvers_required: 2 },
    });
    expect(rows).toEqual([1]);
    expect(respond(shell, { approved: true, reviewer: "ann", reason: "ship it" })).toMatchObject({
      counted: true,
      request: { status: "approved", outcome: { value: { reviewers: ["ann", "bob"], reason: "ship it" } } },
    });
    expect(advance(shell).next?.node_id).toBe("approved");
    expect(stageOf(shell, "p")).toMatchObject({ status: "completed", outcome: "approved", branch: "approved" });
    expect(recordOf(shell).artifacts.at(-1)?.data).toMatchObject({
      data: { approved: true, reviewers: ["ann", "bob"], signatures: [{ reviewer: "bob" }, { reviewer: "ann" }] },
    });
    expect(types(shell)).toEqual([
      "hitl.approval_requested",
      "hitl.response_received",
      "hitl.response_received",
      "hitl.approval_approved",
    ]);
  });

  it("[L-24.5] ends with one denial, and its data is the typed error", () => {
    const { shell } = asking(approval);
    advance(shell);
    respond(shell, { approved: false, reviewer: "bob", reason: "unsafe" });
    expect(advance(shell).next?.node_id).toBe("denied");
    expect(recordOf(shell).artifacts.at(-1)?.data).toMatchObject({
      text: "unsafe",
      data: { name: "ApprovalDeniedError", reviewers: ["bob"], request_id: "hitl_approval_run-1_1" },
    });
  });

  it("[L-30] takes no answer without a name, nor from somebody who is not asked", () => {
    const { shell } = asking(approval);
    advance(shell);
    const answer = (response: JsonObject) =>
      refusal(shell, { type: "answer_request", response: { request_id: "hitl_approval_run-1_1", ...response } });
    expect(answer({ approved: true })).toMatchObject({ code: "invalid_request" });
    expect(answer({ approved: false, reviewer: " " })).toMatchObject({ code: "invalid_request" });
    expect(answer({ approved: false, reviewer: "eve" })).toMatchObject({ code: "invalid_request" });
    expect(answer({ reviewer: "ann" })).toMatchObject({ code: "invalid_request" });
    expect(types(shell)).toEqual(["hitl.approval_requested"]);
  });

  it("[L-24.5] records an answer that comes after the decision, and changes nothing", () => {
    const { shell } = asking({ ...approval, quorum: 1 });
    advance(shell);
    respond(shell, { approved: true, reviewer: "ann" });
    planIn(advance(shell));
    expect(respond(shell, { approved: false, reviewer: "bob" })).toMatchObject({
      counted: false,
      request: { status: "approved" },
    });
    expect(types(shell).at(-1)).toBe("hitl.response_received");
    expect(stageOf(shell, "p").branch).toBe("approved");
  });

  it("[L-24.4] times out at its deadline, also where an answer is the first to notice", () => {
    const { shell, clock } = asking({ ...approval, timeout_ms: 5_000 });
    advance(shell);
    clock.now += 5_000;
    expect(advance(shell).next?.node_id).toBe("timeout");
    expect(recordOf(shell).artifacts.at(-1)?.data).toMatchObject({
      timed_out: true,
      data: { name: "HumanTimeoutError", message: "approval timed out" },
    });
    const late = asking({ ...approval, timeout_ms: 5_000, quorum: 1 });
    advance(late.shell);
    late.clock.now += 5_000;
    expect(respond(late.shell, { approved: true, reviewer: "ann" })).toMatchObject({
      counted: false,
      request: { status: "timed_out" },
    });
    expect(types(late.shell).slice(1)).toEqual(["hitl.timeout", "hitl.response_received"]);
    expect(advance(late.shell).next?.node_id).toBe("timeout");
  });

  it("[I6] cannot be completed by hand, whatever token is shown", () => {
    const { shell } = asking(approval);
    advance(shell);
    const token = shell.state?.open[0]?.attempt_token ?? "";
    for (const attempt_token of [token, null])
      expect(refusal(shell, { type: "complete_stage", node_id: "p", attempt_token, result: says("ok") })).toMatchObject(
        {
          code: "invalid_transition",
        },
      );
    expect(shell.state?.open).toHaveLength(1);
  });

  it("[L-24.8] is called off with its run, and takes no answer any more", () => {
    const { shell } = asking(approval);
    advance(shell);
    accepted(shell, { type: "cancel_run" });
    expect(types(shell)).toEqual(["hitl.approval_requested", "hitl.cancelled"]);
    const response = { request_id: "hitl_approval_run-1_1", approved: true, reviewer: "ann" };
    expect(refusal(shell, { type: "answer_request", response })).toMatchObject({ code: "approval_decided" });
    expect(shell.state?.requests.get("hitl_approval_run-1_1")?.request.status).toBe("cancelled");
    const late = asking(approval, { options: { deadline: 1_000 } });
    advance(late.shell);
    late.clock.now += 1_000;
    expect(advance(late.shell).status).toBe("failed");
    expect(types(late.shell)).toEqual(["hitl.approval_requested", "hitl.cancelled"]);
  });

  it("[L-31] survives a restart of its object, with the approvals that have counted", () => {
    const fixture = asking(approval);
    advance(fixture.shell);
    respond(fixture.shell, { approved: true, reviewer: "ann" });
    const shell = fixture.reload();
    expect(shell.quarantine).toBeNull();
    expect(respond(shell, { approved: true, reviewer: "ann" })).toMatchObject({ counted: false });
    expect(respond(shell, { approved: true, reviewer: "bob" }).request.status).toBe("approved");
    expect(advance(shell).next?.node_id).toBe("approved");
  });

  it("[L-24.2] fills templates into what is shown", () => {
    const { shell } = asking(
      {
        ...approval,
        action: "deploy {{task}}",
        detail: { of: "{{trigger_event.provider}}" },
        reviewers: ["{{trigger_event.by}}"],
        quorum: 1,
      },
      { task: "v2", options: { trigger_event: { provider: "github", by: "ann", trace_id: "trace_1" } } },
    );
    advance(shell);
    const known = shell.state?.requests.get("hitl_approval_run-1_1")?.request.asking;
    expect(known).toMatchObject({
      agent: "wf",
      trace_id: "trace_1",
      run_id: "run-1",
      asked: { action: "deploy v2", detail: { of: "github" }, reviewers: ["ann"] },
    });
  });

  it("[L-24] is not asked with more than people can read", () => {
    const { shell } = asking({ ...approval, action: "{{task}}" }, { task: "x".repeat(40_000) });
    expect(advance(shell).next?.node_id).toBe("error");
    expect(stageOf(shell, "p").metadata["error"]).toContain("asks people with more than 32768 bytes");
  });
});

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
