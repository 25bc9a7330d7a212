import { describe, expect, it } from "vitest";
import { auditEntries } from "../../../src/engine/finish/audit.ts";
import { nextWake } from "../../../src/engine/run/wake.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { approval, asking, DAY, respond, START, types } from "../../support/person-run.ts";
import { accepted, refusal } from "../../support/run-fixture.ts";
import { advance, planIn, recordOf, says, stageOf } from "../../support/run-steps.ts";

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

  it("[L-24.1] is audited: what each of them said, and what was decided", () => {
    const { shell } = asking(approval);
    advance(shell);
    respond(shell, { approved: true, reviewer: "ann" });
    respond(shell, { approved: false, reviewer: "bob", reason: "unsafe" });
    const audited = auditEntries(shell.entries());
    expect(audited.map(({ seq, kind }) => [seq, kind])).toEqual([
      [1, "hitl.response_received"],
      [2, "hitl.response_received"],
      [3, "hitl.approval_denied"],
    ]);
    expect(audited[2]).toMatchObject({ pipeline_id: "run-1", payload: { reviewer: "bob", reason: "unsafe" } });
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
