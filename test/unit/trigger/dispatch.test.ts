import { describe, expect, it } from "vitest";
import { handlerFor } from "../../../src/engine/trigger/definition-handler.ts";
import { dispatchIdFor, runIdFor, runRequestFor } from "../../../src/engine/trigger/dispatch.ts";
import type { Handler } from "../../../src/engine/trigger/handler.ts";
import { matchVerdict } from "../../../src/engine/trigger/match.ts";
import { DEFAULT_RETRY, delayAfter, delayBefore, maxAttempts, type Retry } from "../../../src/engine/trigger/retry.ts";
import { taskFor } from "../../../src/engine/trigger/task.ts";
import type { StoredDefinition } from "../../../src/schema/trigger-definition.ts";
import type { TriggerEvent } from "../../../src/schema/trigger.ts";
import { binding, opened, stored } from "./fixture.ts";

const event: TriggerEvent = {
  ...opened,
  id: "trigger_evt_1",
  received_at: "2026-04-19T12:00:00.000Z",
  trace_id: "trace_1",
  tenant_id: "t1",
  raw_body: "e30=",
};

const workflowOf = (definition: StoredDefinition): Extract<Handler, { readonly kind: "workflow" }> => {
  const handler = handlerFor(definition);
  if (handler.kind !== "workflow") throw new Error("the handler is no workflow");
  return handler;
};

describe("run request", () => {
  it("[T-26.2] the run gets the payload as fresh evidence and the envelope without the raw bytes", () => {
    const handler = { workflow: "triage", version: 4, options: { max_steps: 9 } };
    const definition = stored({ handler });
    const source = { event, binding: binding({ handler }), dispatch_id: null, run_id: null, replay: null };
    const request = runRequestFor(source, workflowOf(definition));
    const { raw_body: _bytes, ...envelope } = event;
    expect(request).toEqual({
      run_id: runIdFor(request.dispatch.dispatch_id),
      workflow_id: "triage",
      version: 4,
      task: "Handle github event issues.opened",
      artifacts: [
        {
          _type: "artifact",
          id: expect.stringMatching(/^artifact_[0-9a-f-]{36}$/),
          kind: "provider_payload",
          title: "github issues.opened",
          text: '{"action":"opened","issue":{"number":99,"title":"It fails"}}',
          data: opened.provider_payload,
          source: "hub",
          created_at: "1776600000",
          freshness: "fresh",
          metadata: { trigger_id: "hub", event_id: "trigger_evt_1", dedupe_key: "delivery-123" },
        },
      ],
      options: { max_steps: 9, trigger_id: "hub" },
      ceiling: null,
      trigger_event: envelope,
      dispatch: {
        dispatch_id: dispatchIdFor(binding(), "trigger_evt_1"),
        trigger_id: "hub",
        binding_version: 3,
        binding_key: "hub@v3",
        event_id: "trigger_evt_1",
        dedupe_key: "delivery-123",
        trace_id: "trace_1",
        tenant_id: "t1",
      },
    });
  });

  it("[T-26.2] dispatch and run ids differ by trigger, version and event", () => {
    const ids = [
      dispatchIdFor(binding(), "e1"),
      dispatchIdFor(binding(), "e2"),
      dispatchIdFor({ ...binding(), version: 4 }, "e1"),
      dispatchIdFor({ ...binding(), trigger_id: "other" }, "e1"),
    ];
    expect(new Set(ids).size).toBe(4);
    expect(new Set(ids.map((id) => runIdFor(id))).size).toBe(4);
    expect(dispatchIdFor(binding(), "e1")).toBe(ids[0]);
  });

  it("[T-23] a replay has a dispatch and a run of its own, and its run is told what it replays", () => {
    const [first, replay, second] = [0, 1, 2].map((number) => dispatchIdFor(binding(), "e1", number));
    expect(new Set([first, replay, second]).size).toBe(3);
    const replayOf = { event_id: "trigger_evt_1", number: 1, dlq_id: null, as_of: null, requested_by: null };
    const source = { event, binding: binding(), dispatch_id: null, run_id: null, replay: replayOf };
    const request = runRequestFor(source, workflowOf(stored()));
    expect(request.options).toEqual({ replay_of_event_id: "trigger_evt_1", trigger_id: "hub" });
    expect(request.run_id).toBe(runIdFor(dispatchIdFor(binding(), "trigger_evt_1", 1)));
  });

  it("[T-12.2] a run follows the ended one under an id of its own, the same each time", () => {
    expect(new Set([runIdFor("d"), runIdFor("d", 1), runIdFor("d", 2), runIdFor("e", 1)]).size).toBe(4);
    expect(runIdFor("d", 1)).toBe(runIdFor("d", 1));
    expect(runIdFor("d", 0)).toBe(runIdFor("d"));
  });

  it("[T-10] the run of a batch gets the payload of every member as evidence", () => {
    const { raw_body: _bytes, ...leader } = event;
    const other = { ...leader, id: "trigger_evt_2", dedupe_key: "delivery-124" };
    const merged = { ...event, batch: [leader, other] as unknown as NonNullable<TriggerEvent["batch"]> };
    const source = { event: merged, binding: binding(), dispatch_id: null, run_id: null, replay: null };
    const request = runRequestFor(source, workflowOf(stored()));
    expect(request.artifacts.map((one) => one.metadata["event_id"])).toEqual(["trigger_evt_1", "trigger_evt_2"]);
    expect(new Set(request.artifacts.map((one) => one.id)).size).toBe(2);
  });
});

describe("task", () => {
  it("[T-5.1] templates take texts as they are, other values as JSON, and missing ones as nothing", () => {
    const template =
      "{{trigger_event.kind}} #{{ trigger_event.provider_payload.issue.number }}: " +
      "{{trigger_event.provider_payload.issue.title}} {{trigger_event.provider_payload.issue}}" +
      "{{trigger_event.nothing.here}}{{trigger_event.occurred_at}} {{other.path}} {{trigger_event}}";
    expect(taskFor(template, event)).toBe(
      'issues.opened #99: It fails {"number":99,"title":"It fails"} {{other.path}} {{trigger_event}}',
    );
  });

  it("[T-5.1] what a sender writes is never read as a template", () => {
    const title = "$& {{trigger_event.trace_id}}";
    const sly = { ...event, provider_payload: { issue: { title } } };
    expect(taskFor("{{trigger_event.provider_payload.issue.title}}", sly)).toBe(title);
    expect(taskFor("{{trigger_event.__proto__.constructor}}", event)).toBe("");
  });
});

describe("match", () => {
  it("[T-5.5] no events means every kind; an entry is a kind or the bare event", () => {
    expect(matchVerdict({}, opened).outcome).toBe("passed");
    expect(matchVerdict({ events: [] }, opened).outcome).toBe("passed");
    expect(matchVerdict({ events: ["push", "issues.opened"] }, opened).outcome).toBe("passed");
    expect(matchVerdict({ events: ["issues"] }, opened).outcome).toBe("passed");
    for (const entry of ["issue", "issues.", "issues.closed", "opened", "ISSUES"]) {
      expect(matchVerdict({ events: [entry] }, opened).outcome).toBe("skipped");
    }
    expect(
      matchVerdict({ events: ["x"] }, { provider: "webhook", kind: "order.paid", provider_payload: {} }).outcome,
    ).toBe("skipped");
  });
});

const delays = (retry: Retry): readonly number[] =>
  Array.from({ length: maxAttempts(retry) }, (_, index) => delayBefore(retry.policy, index + 1));

describe("retry", () => {
  it("[T-5.2] the delay before each attempt follows the policy", () => {
    expect(delays({ max_attempts: 8, policy: { kind: "svix" } })).toEqual([
      0, 5000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 36_000_000,
    ]);
    expect(delays({ max_attempts: 4, policy: { kind: "linear", delay_ms: 2500 } })).toEqual([0, 2500, 2500, 2500]);
    const exponential = { kind: "exponential", base_ms: 1000, cap_ms: 5000 } as const;
    expect(delays({ max_attempts: 6, policy: exponential })).toEqual([0, 1000, 2000, 4000, 5000, 5000]);
  });

  it("[T-5.2] no limit means seven attempts, and nothing follows the last one", () => {
    expect(maxAttempts({ max_attempts: 0, policy: { kind: "svix" } })).toBe(7);
    expect(delayAfter(DEFAULT_RETRY, 6)).toBe(36_000_000);
    expect(delayAfter(DEFAULT_RETRY, 7)).toBeNull();
  });
});
