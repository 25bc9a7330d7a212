import { describe, expect, it } from "vitest";
import { spanOf, type WorkerSpan } from "../../../src/engine/worker/spans.ts";
import type { WorkerState } from "../../../src/engine/worker/state.ts";
import { evolve } from "../../../src/engine/worker/evolve.ts";
import { PARENT, WORKER_ID, WorkerFixture } from "../../support/worker-fixture.ts";

const spansOf = (box: WorkerFixture): readonly WorkerSpan[] => {
  let state: WorkerState = null;
  return box.events.flatMap((event) => {
    const after = evolve(state, event);
    const span = spanOf(event, state, after);
    state = after;
    return span === null ? [] : [span];
  });
};

const suspend = { type: "suspend", reason: "lunch", initiator: "operator", conditions: null } as const;

describe("the spans of a worker", () => {
  it("[L-19] are those of its suspensions and resumptions, linked with each other and the stage that waits", () => {
    const box = WorkerFixture.running({ parent: PARENT });
    box.tell(suspend);
    const { suspension } = box.worker;
    box.tell({ type: "cycle_paused", cycle: 1, turn: 3, transcript: null });
    box.tell({
      type: "resume",
      input: "a secret",
      continue_transcript: true,
      initiator: "operator",
      trigger_event: null,
    });
    const [first, second] = spansOf(box);
    expect(first).toMatchObject({
      kind: "suspension",
      name: `suspend ${WORKER_ID}`,
      span_id: suspension?.prior_span_link?.span_id,
      parent_span_id: suspension?.pipeline_span_link?.span_id,
      metadata: {
        worker_id: WORKER_ID,
        handle: WORKER_ID,
        reason: "lunch",
        initiator: "operator",
        has_conditions: false,
        pipeline_span_id: suspension?.pipeline_span_link?.span_id,
        pipeline_id: suspension?.pipeline_span_link?.span_id,
      },
      links: [],
    });
    expect(second).toMatchObject({
      kind: "resume",
      name: `resume ${WORKER_ID}`,
      parent_span_id: null,
      metadata: { had_resume_input: true, continue_transcript: true, linked_suspension_count: 2 },
      links: [
        { span_id: first?.span_id, attributes: { "harn.link.kind": "suspension" } },
        { span_id: first?.parent_span_id, attributes: { "harn.link.kind": "pipeline" } },
      ],
    });
    expect(second?.trace_id).not.toBe(first?.trace_id);
    expect(JSON.stringify([first, second])).not.toContain("secret");
    for (const { trace_id, span_id } of [first, second].filter((span) => span !== undefined)) {
      expect(trace_id).toMatch(/^[0-9a-f]{32}$/);
      expect(span_id).toMatch(/^[0-9a-f]{16}$/);
    }
  });

  it("[L-19] have one link where nobody waits for the worker, and another name for the broadcast", () => {
    const box = WorkerFixture.running({});
    box.tell({ type: "suspend", reason: "stop all", initiator: "triggered", conditions: null, panic: true });
    box.tell({ type: "cycle_paused", cycle: 1, turn: null, transcript: null });
    box.tell({ type: "resume", input: null, continue_transcript: true, initiator: "operator", trigger_event: null });
    const [first, second] = spansOf(box);
    expect(first).toMatchObject({ name: `panic_suspend ${WORKER_ID}`, parent_span_id: null });
    expect(first?.metadata).not.toHaveProperty("pipeline_id");
    expect(second?.metadata).toMatchObject({ linked_suspension_count: 1, had_resume_input: false });
  });
});
