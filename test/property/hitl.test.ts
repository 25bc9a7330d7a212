import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { coerceTo } from "../../src/engine/hitl/answer-value.ts";
import type { Asking } from "../../src/engine/hitl/envelope.ts";
import { hitlMachine } from "../../src/engine/hitl/machine.ts";
import { countResponse, NO_TALLY, type Tally } from "../../src/engine/hitl/response.ts";
import type { HitlCommand, HitlEvent, HitlRequest, HitlState } from "../../src/engine/hitl/state.ts";
import { completeWaitpoint, createWaitpoint, resolveWaitpoints } from "../../src/engine/hitl/waitpoint.ts";
import type { Json } from "../../src/lib/json.ts";

const NAMES: readonly string[] = ["ann", "bob", "cy", "eve"];
const START = 1_000_000;
const PATIENCE = 10_000;

const name = fc.option(fc.constantFrom(...NAMES), { nil: undefined });

const response = fc
  .record({
    reviewer: name,
    approved: fc.option(fc.boolean(), { nil: undefined }),
    reason: fc.option(fc.string(), { nil: undefined }),
  })
  .map((given) => JSON.parse(JSON.stringify({ request_id: "hitl_approval_r_1", ...given })) as { request_id: string });

const allowed = fc.subarray([...NAMES]);

const asking = (quorum: number, reviewers: readonly string[]): Asking => ({
  request_id: "hitl_approval_r_1",
  agent: "wf",
  trace_id: "trace_1",
  run_id: "r",
  requested_at_ms: START,
  asked: {
    kind: "approval",
    action: "go",
    args: null,
    detail: null,
    principal: null,
    quorum,
    reviewers,
    deadline_ms: PATIENCE,
    evidence_refs: [],
    undo_metadata: null,
    capabilities_requested: [],
  },
});

const tell = (
  state: HitlState,
  command: HitlCommand,
  now: number,
): { state: HitlState; events: readonly HitlEvent[] } => {
  const decision = hitlMachine.decide(state, command, { now, nextId: (prefix) => prefix });
  if (!decision.ok) throw new Error(decision.rejection.detail);
  return { state: decision.events.reduce(hitlMachine.evolve, state), events: decision.events };
};

const asked = (quorum: number, reviewers: readonly string[]): HitlState =>
  tell(null, { type: "ask", asking: asking(quorum, reviewers) }, START).state;

describe("an approval", () => {
  it("[L-24.5] comes to what folding all its responses anew comes to, whatever is answered in which order", () => {
    fc.assert(
      fc.property(
        fc.array(response, { maxLength: 12 }),
        fc.integer({ min: 1, max: 4 }),
        allowed,
        (responses, quorum, reviewers) => {
          let state = asked(quorum, reviewers);
          for (const given of responses) state = tell(state, { type: "respond", response: given }, START + 1).state;
          let tally: Tally = NO_TALLY;
          let status = "open";
          for (const given of responses) {
            if (status !== "open") break;
            const counted = countResponse(tally, { quorum, allowed: reviewers }, { ...given, responded_at: "t" });
            if ("tally" in counted) tally = counted.tally;
            if (counted.type === "approved" || counted.type === "denied") status = counted.type;
          }
          expect(state?.status).toBe(status);
          expect(state?.tally.reviewers).toEqual(tally.reviewers);
        },
      ),
    );
  });

  it("[L-24.5] is approved only by as many different people as it needs, all of them asked", () => {
    fc.assert(
      fc.property(
        fc.array(response, { maxLength: 12 }),
        fc.integer({ min: 1, max: 4 }),
        allowed,
        (responses, quorum, reviewers) => {
          let state = asked(quorum, reviewers);
          for (const given of responses) state = tell(state, { type: "respond", response: given }, START + 1).state;
          const names = state?.tally.reviewers ?? [];
          expect(new Set(names).size).toBe(names.length);
          expect([...names].toSorted()).toEqual(names);
          if (reviewers.length > 0) expect(names.every((one) => reviewers.includes(one))).toBe(true);
          if (state?.status === "approved") expect(names.length).toBe(quorum);
          else expect(names.length).toBeLessThan(quorum);
        },
      ),
    );
  });

  it("[L-24.5] who approves first does not matter: the same people are found in any order", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...NAMES], { minLength: 2 }), (people) => {
        const folded = (order: readonly string[]): HitlRequest => {
          let state = asked(people.length, []);
          for (const reviewer of order) {
            const given = { request_id: "hitl_approval_r_1", reviewer, approved: true };
            state = tell(state, { type: "respond", response: given }, START + 1).state;
          }
          return state as HitlRequest;
        };
        const [one, other] = [folded(people), folded(people.toReversed())];
        expect(one.status).toBe("approved");
        expect(other.tally.reviewers).toEqual(one.tally.reviewers);
      }),
    );
  });

  const command = fc.oneof(
    response.map((given): HitlCommand => ({ type: "respond", response: given })),
    fc.constant<HitlCommand>({ type: "expire" }),
    fc.constant<HitlCommand>({ type: "cancel", reason: null }),
    fc.constant<HitlCommand>({ type: "executed" }),
  );

  it("[L-32] settles once: whatever comes later is recorded and changes neither status nor value (H1, H3)", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(command, fc.integer({ min: 0, max: 6_000 })), { maxLength: 12 }), (steps) => {
        let state = asked(2, []);
        let now = START;
        for (const [given, ms] of steps) {
          now += ms;
          const before = state as HitlRequest;
          const { state: next, events } = tell(state, given, now);
          state = next;
          if (before.status !== "open") {
            const { responses } = before;
            expect({ ...next, executed: false, responses }).toEqual({ ...before, executed: false });
            expect(events.every(({ type }) => type === "responded" || type === "executed")).toBe(true);
          }
          if (next?.status === "approved" && before.status === "open") expect(now).toBeLessThan(START + PATIENCE);
        }
      }),
    );
  });
});

describe("an answer", () => {
  it("[L-24.3] always has the type of the default, and is the default where it cannot", () => {
    const fallback = fc.oneof(
      fc.integer(),
      fc.boolean(),
      fc.string(),
      fc.array(fc.integer()),
      fc.dictionary(fc.string(), fc.integer()),
    );
    fc.assert(
      fc.property(fallback, fc.jsonValue(), (like, given) => {
        const value = coerceTo(like as Json, given as Json);
        expect(Array.isArray(value)).toBe(Array.isArray(like));
        expect(typeof value).toBe(typeof like);
        expect(coerceTo(like as Json, value)).toEqual(value);
      }),
    );
  });
});

describe("waitpoints", () => {
  it("[L-25] give their values once all are completed, each once, in the order asked for", () => {
    const ids = fc.uniqueArray(fc.constantFrom<string>("a", "b", "c", "d", "e"), { minLength: 1 });
    fc.assert(
      fc.property(ids, fc.integer({ min: 0, max: 5 }), (wanted, done) => {
        const known = new Map(
          wanted.map((id, index) => {
            const open = createWaitpoint(null, { id, at: "t" });
            return [
              id,
              index < done ? completeWaitpoint(open, { id, at: "t", value: id.toUpperCase() }) : open,
            ] as const;
          }),
        );
        const waited = resolveWaitpoints([...wanted, ...wanted.map((id) => ` ${id} `)], (id) => known.get(id));
        expect(waited).toEqual(
          done >= wanted.length
            ? { state: "completed", values: wanted.map((id) => id.toUpperCase()) }
            : { state: "pending" },
        );
      }),
    );
  });
});
