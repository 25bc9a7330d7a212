import * as fc from "fast-check";
import { expect, it } from "vitest";
import {
  admit,
  type CircuitState,
  CLOSED,
  FAILURES_TO_OPEN,
  OPEN_MS,
  settleAttempt,
  viewCircuit,
} from "../../src/engine/trigger/circuit.ts";

const attempt = fc.constantFrom("a", "b", "c", "d", "e", "f", "g");
const wait = fc.constantFrom(0, 1, 59_999, 60_000, 60_001);
const outcome = fc.constantFrom("success", "failure", "unused");
const step = fc.oneof(
  fc.record({ type: fc.constant("allow" as const), attempt, wait }),
  fc.record({
    type: fc.constant("report" as const),
    attempt,
    wait,
    outcome,
  }),
);

it("[T-12.4] a circuit passes nothing while it is open and one probe at a time after that, whatever happens", () => {
  let probes = 0;
  let blocked = 0;
  fc.assert(
    fc.property(fc.nat({ max: 6 }), fc.array(step, { maxLength: 40 }), (failures, steps) => {
      let state: CircuitState = CLOSED;
      for (let i = 0; i < failures; i += 1)
        state = settleAttempt(state, { attempt_id: `failed-${i}`, outcome: "failure" }, 0).state;
      let now = 0;
      for (const one of steps) {
        now += one.wait;
        const before = state;
        if (one.type === "allow") {
          const asked = admit(state, { attempt_id: one.attempt }, now);
          const again = admit(asked.state, { attempt_id: one.attempt }, now);
          expect(again).toEqual({ state: asked.state, reply: asked.reply });
          const isOpen = before.opened_at_ms !== null && now < before.opened_at_ms + OPEN_MS;
          const isHeld =
            before.probe !== null && before.probe.expires_at_ms > now && before.probe.attempt_id !== one.attempt;
          expect(asked.reply.allowed).toBe(!isOpen && !isHeld);
          if (!asked.reply.allowed) expect(asked.reply.retry_at_ms).toBeGreaterThan(now);
          if (asked.reply.allowed && asked.reply.probe) probes += 1;
          else if (!asked.reply.allowed) blocked += 1;
          state = asked.state;
        } else {
          const report = { attempt_id: one.attempt, outcome: one.outcome };
          const told = settleAttempt(state, report, now);
          expect(settleAttempt(told.state, report, now)).toEqual({ state: told.state, reply: told.reply });
          state = told.state;
          if (one.outcome === "success") expect(state).toBe(CLOSED);
        }
        expect(state.opened_at_ms !== null).toBe(viewCircuit(state, now).state !== "closed");
        expect(state.opened_at_ms !== null).toBe(state.failures >= FAILURES_TO_OPEN);
      }
    }),
    { numRuns: 500 },
  );
  expect(probes).toBeGreaterThan(0);
  expect(blocked).toBeGreaterThan(0);
});
