import { describe, expect, it } from "vitest";
import { fold } from "../../../src/engine/machine.ts";
import type { EventCommand, EventState, HandlerReport } from "../../../src/engine/trigger/event.ts";
import { eventMachine } from "../../../src/engine/trigger/machine.ts";
import { accept, binding, contextAt, NOON, settle } from "./fixture.ts";

const FINISHED = binding({
  handler: { workflow: "triage", completion: "finished" },
  retry: { max: 3, backoff: "immediate" },
});

const told = (state: EventState, command: EventCommand, now = NOON): EventState => {
  const decision = eventMachine.decide(state, command, contextAt(now));
  return decision.ok ? fold(eventMachine, state, decision.events) : state;
};

const begun = (): EventState => {
  const accepted = told(eventMachine.initial, accept({ binding: FINISHED }));
  const admitted = told(accepted, { type: "admit", admission: { type: "admitted", verdicts: [], batch: null } });
  return told(admitted, { type: "attempt", circuit: { type: "closed" }, lease_ms: 5_000 });
};

const unavailable: HandlerReport = {
  type: "failed",
  class: "infrastructure",
  code: "unavailable",
  detail: "network lost",
  retryable: true,
};

const again = (state: EventState): EventState =>
  told(state, { type: "attempt", circuit: { type: "closed" }, lease_ms: 5_000 });

const runsOf = (state: EventState) => (state.status === "absent" ? [] : state.attempts.map(({ run_id }) => run_id));

describe("two dispatchers that start the same run", () => {
  it("[T-8] the next attempt asks for the same run when the first one was given up before the run was known", () => {
    const started = begun();
    const late = told(told(started, settle(started, unavailable)), settle(started, { type: "running" }));
    const [first, second] = runsOf(again(late));
    expect(second).toBe(first);
  });

  it("[T-8] whoever could not start a run does not end the attempt of one that runs", () => {
    const running = told(begun(), settle(begun(), { type: "running" }));
    const after = told(running, settle(running, unavailable));
    expect(after).toEqual(running);
    const failed = told(running, settle(running, { ...unavailable, class: "local", code: "run_failed" }));
    expect(failed.status).toBe("retrying");
    const [first, second] = runsOf(again(failed));
    expect(second).not.toBe(first);
  });
});
