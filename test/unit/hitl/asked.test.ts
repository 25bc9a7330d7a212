import { describe, expect, it } from "vitest";
import { askUser, dualControl, escalateTo, requestApproval } from "../../../src/engine/hitl/asked.ts";
import { envelopeOf } from "../../../src/engine/hitl/envelope.ts";
import { baseOfRequest, kindOfRequest } from "../../../src/engine/hitl/kind.ts";
import { personProblem } from "../../../src/engine/hitl/node.ts";
import { pendingFilters } from "../../../src/engine/hitl/pending.ts";
import { selfSignature } from "../../../src/engine/hitl/response.ts";
import type { Json, JsonObject } from "../../../src/lib/json.ts";

const failing = (result: { readonly ok: boolean; readonly error?: unknown }): unknown =>
  result.ok ? null : result.error;

describe("what is asked", () => {
  it.each<[Json | undefined, Json | undefined, string]>([
    ["", {}, "ask_user: expected string argument at 0"],
    [null, {}, "ask_user: expected string argument at 0"],
    ["?", [], "ask_user: options must be a dict"],
    ["?", { timeout: -1 }, "expected a duration or millisecond count"],
    ["?", { timeout: "soon" }, "expected a duration or millisecond count"],
  ])("[L-24.3] refuses the question %j with %j", (prompt, options, error) => {
    expect(failing(askUser(prompt, options))).toBe(error);
  });

  it("[L-24.3] waits a day unless told otherwise, and takes durations as text", () => {
    expect(askUser(12)).toMatchObject({ ok: true, value: { prompt: "12", timeout_ms: 86_400_000, default: null } });
    expect(askUser("?", { timeout: "5m" })).toMatchObject({ ok: true, value: { timeout_ms: 300_000 } });
    expect(askUser("?", { timeout_ms: 0 })).toMatchObject({ ok: true, value: { timeout_ms: 0 } });
  });

  it.each<[Json, string]>([
    ["no", "request_approval: options must be a dict"],
    [{ quorum: 0 }, "request_approval: quorum must be positive"],
    [{ quorum: 1.5 }, "request_approval: quorum must be positive"],
    [{ reviewers: "ann" }, "request_approval: expected list<string>"],
    [{ reviewers: [1] }, "request_approval: expected list<string>"],
    [{ capabilities_requested: [null] }, "request_approval: expected list<string>"],
    [{ evidence_refs: {} }, "request_approval: evidence_refs must be a list"],
    [{ deadline: {} }, "expected a duration or millisecond count"],
  ])("[L-24.4] refuses an approval with %j", (options, error) => {
    expect(failing(requestApproval("go", options))).toBe(error);
  });

  it.each<[Parameters<typeof dualControl>[0], string]>([
    [{ n: "1", m: 2, action: { name: null } }, "dual_control: expected int argument at 0"],
    [{ n: 1, m: undefined, action: { name: null } }, "dual_control: expected int argument at 1"],
    [{ n: 0, m: 2, action: { name: null } }, "dual_control: expected a positive int at 0"],
    [{ n: 3, m: 2, action: { name: null } }, "dual_control: n must be less than or equal to m"],
    [{ n: 1, m: 2, action: null }, "dual_control: action must be a closure"],
    [{ n: 1, m: 2, action: { name: null }, approvers: ["ann"] }, "dual_control: expected at least 2 approvers, got 1"],
  ])("[L-24.6] refuses dual control with %j", (args, error) => {
    expect(failing(dualControl(args))).toBe(error);
  });

  it("[L-24.7] refuses an escalation to nobody, or for nothing", () => {
    expect(failing(escalateTo("", "why"))).toBe("escalate_to: expected string argument at 0");
    expect(failing(escalateTo("lead", ""))).toBe("escalate_to: expected string argument at 1");
  });

  it("[L-24.4] tells the canonical approval request beside its own fields", () => {
    const asked = requestApproval("deploy", {
      detail: { to: "prod" },
      quorum: 2,
      reviewers: ["ann", "bob"],
      deadline_ms: 1_000,
    });
    if (!asked.ok) throw new Error(asked.error);
    const at = { request_id: "hitl_approval_e_1", agent: "bot", trace_id: "trace_1", run_id: null, requested_at_ms: 0 };
    const canonical = {
      id: "hitl_approval_e_1",
      action: "deploy",
      args: { to: "prod" },
      principal: "bot",
      requested_at: "1970-01-01T00:00:00Z",
      deadline: "1970-01-01T00:00:01Z",
      approvers_required: 2,
      evidence_refs: [],
      undo_metadata: null,
      capabilities_requested: [],
    };
    expect(envelopeOf({ ...at, asked: asked.value })).toEqual({
      request_id: "hitl_approval_e_1",
      kind: "approval",
      agent: "bot",
      trace_id: "trace_1",
      requested_at: "1970-01-01T00:00:00Z",
      payload: {
        approval_request: canonical,
        ...canonical,
        detail: { to: "prod" },
        quorum: 2,
        reviewers: ["ann", "bob"],
        deadline_ms: 1_000,
      },
    });
  });
});

describe("ids of requests", () => {
  it("[L-24.2] say which kind of request they are, and what they were made from", () => {
    expect(kindOfRequest("hitl_dual_control_x_1")).toEqual({ ok: true, value: "dual_control" });
    expect(kindOfRequest("hitl_poll_x")).toEqual({ ok: false, error: "unknown HITL request id 'hitl_poll_x'" });
    expect(baseOfRequest("hitl_approval_run_a_b_12")).toBe("run_a_b");
    expect(baseOfRequest("hitl_approval_0190-uuid")).toBeNull();
    expect(baseOfRequest("approval_1_2")).toBeNull();
  });
});

describe("a signature of one's own", () => {
  it("[L-24.5] is the SHA-256 of the lines that say what was approved", () => {
    const given = { reviewer: "ann", signed_at: "2026-04-20T12:00:00Z", reason: null };
    // printf 'harn-hitl-approval-v1\nrequest_id:hitl_approval_e_1\nreviewer:ann\nsigned_at:2026-04-20T12:00:00Z\napproved:true\nreason:\n' | sha256sum
    expect(selfSignature("hitl_approval_e_1", given)).toBe(
      "sha256:c8b0420eea72a05143dc812e2a229ebdfc94ea0ba90464d4bf52ce507ec810be",
    );
  });
});

describe("filters of the list", () => {
  it.each<[Json, string]>([
    [[], "hitl_pending: filters must be a dict or nil"],
    [{ agent: 1 }, "hitl_pending: agent must be a string"],
    [{ until: "2026-01-01" }, "hitl_pending: invalid until: 2026-01-01 is not RFC 3339"],
  ])("[L-24.9] refuses %j", (filters, error) => {
    expect(failing(pendingFilters(filters))).toBe(error);
  });

  it("[L-24.9] shows 500 unless told otherwise, and 5000 at most", () => {
    expect(pendingFilters(null)).toMatchObject({ ok: true, value: { limit: 500 } });
    expect(pendingFilters({ limit: 9_999 })).toMatchObject({ ok: true, value: { limit: 5_000 } });
  });
});

describe("the `person` of a stage", () => {
  it.each<[JsonObject, string | null]>([
    [{ kind: "question", prompt: "{{task}}" }, null],
    [{ kind: "question", prompt: "?", schema: "integer" }, "person.schema must be a JSON schema"],
    [{ kind: "question", prompt: "?", schema: { $defs: { a: {} }, $ref: "#/$defs/a" } }, null],
    [
      { kind: "question", prompt: "?", schema: { items: [{ $ref: "#/$defs/b" }] } },
      'person.schema: "#/$defs/b" leads to nothing within the schema',
    ],
    [
      { kind: "question", prompt: "?", schema: { properties: { a: { pattern: "(" } } } },
      'person.schema: "(" is not a regular expression',
    ],
    [{}, "person.kind must be question, approval, dual_control or escalation"],
    [
      { kind: "approval", action: "go", quorum: 3, reviewers: ["ann", "ann"] },
      "3 approvals cannot come from 1 reviewers",
    ],
    [{ kind: "approval", action: "go", quorum: 3, reviewers: ["{{trigger_event.by}}"] }, null],
    [{ kind: "dual_control", n: 1, m: 2 }, "dual control requires the name of a registered function in person.handler"],
    [{ kind: "dual_control", n: 3, m: 2, handler: "echo" }, "dual_control: n must be less than or equal to m"],
    [{ kind: "dual_control", n: 1, m: 2, handler: "echo" }, null],
    [
      { kind: "escalation", role: "lead", reason: "stuck", timeout_ms: 5 },
      "an escalation waits until somebody accepts it; leave out person.timeout_ms",
    ],
  ])("[L-24] %j", (person, problem) => {
    expect(personProblem(person)).toBe(problem);
  });
});
