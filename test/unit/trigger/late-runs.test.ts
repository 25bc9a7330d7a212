import { describe, expect, it } from "vitest";
import { fold } from "../../../src/engine/machine.ts";
import type { EventCommand, EventRecord, EventState, HandlerReport } from "../../../src/engine/trigger/event.ts";
import { eventMachine } from "../../../src/engine/trigger/machine.ts";
import { accept, binding, contextAt, NOON, settle } from "./fixture.ts";

const FINISHED = { handler: { workflow: "triage", completion: "finished" } };

const UNREACHED: HandlerReport = {
  type: "failed",
  class: "infrastructure",
  code: "unavailable",
  detail: "the run could not be reached",
  retryable: true,
};

const RUN_FAILED: HandlerReport = {
  type: "failed",
  class: "local",
  code: "run_failed",
  detail: "the run failed",
  retryable: true,
};

const ATTEMPT: EventCommand = { type: "attempt", circuit: { type: "closed" }, lease_ms: 5_000 };

/** An event that commands are told one after the other, each an hour after the one before. */
const told = (
  commands: readonly (EventCommand | ((state: EventState) => EventCommand))[],
  change: Readonly<Record<string, unknown>> = {},
): EventRecord => {
  let state: EventState = eventMachine.initial;
  const first = accept({ binding: binding({ ...FINISHED, ...change }) });
  const admit: EventCommand = { type: "admit", admission: { type: "admitted", verdicts: [], batch: null } };
  for (const [hours, one] of [first, admit, ...commands].entries()) {
    const command = typeof one === "function" ? one(state) : one;
    const decision = eventMachine.decide(state, command, contextAt(NOON + hours * 3_600_000, hours * 10));
    if (decision.ok) state = fold(eventMachine, state, decision.events);
  }
  if (state.status === "absent") throw new Error("no event");
  return state;
};

const report =
  (outcome: HandlerReport, attempt?: number) =>
  (state: EventState): EventCommand =>
    settle(state, outcome, attempt);

describe("reports of a run that is started by several", () => {
  it("[T-8] a start that failed settles nothing once somebody else has started the run", () => {
    const event = told([ATTEMPT, report({ type: "running" }), report(UNREACHED)]);
    expect(event).toMatchObject({ status: "dispatching", attempts: [{ is_running: true, settled_at: null }] });
    expect(told([ATTEMPT, report({ type: "running" }), report(UNREACHED), report(RUN_FAILED)]).status).toBe(
      "dead_lettered",
    );
  });

  it("[T-8] a run that is reported late is the run of the next attempt", () => {
    const first = told([ATTEMPT, report(UNREACHED)]);
    const event = told([ATTEMPT, report(UNREACHED), report({ type: "running" }, 1), ATTEMPT]);
    expect(event.attempts).toHaveLength(2);
    expect(event.run_id).toBe(first.run_id);
    expect(event.attempts.map(({ run_id }) => run_id)).toEqual([first.run_id, first.run_id]);
  });

  it("[T-8] what a run says counts for the attempt that waits for it now", () => {
    const late = [ATTEMPT, report(UNREACHED), ATTEMPT, report({ type: "running" }, 1)];
    expect(told(late).attempts).toMatchObject([{ is_running: false }, { is_running: true }]);
    const failed = told([...late, report(RUN_FAILED, 1)], { retry: { max: 5, backoff: "immediate" } });
    expect(failed).toMatchObject({ status: "retrying", attempts: [{}, { outcome: "failed" }] });
  });

  it("[T-8] a run whose end is the first that is heard of it was there: another one follows it", () => {
    const retried = told([ATTEMPT, report(RUN_FAILED), ATTEMPT], { retry: { max: 5, backoff: "immediate" } });
    expect(retried.attempts).toHaveLength(2);
    expect(retried.attempts[1]?.run_id).not.toBe(retried.attempts[0]?.run_id);
    // Without a retry of its own a run is not tried again: what it did cannot be undone.
    expect(told([ATTEMPT, report(RUN_FAILED)]).status).toBe("dead_lettered");
  });
});
