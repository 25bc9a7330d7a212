import { liveEvents } from "../../src/engine/observe/live.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import { accepted, type RunFixture, type RunShell } from "./run-fixture.ts";
import { fn, runOf } from "./run-steps.ts";

/** When the clock of these tests begins. */
export const START = 1_000_000;
/** Milliseconds of a day. */
export const DAY = 86_400_000;

const BRANCHES = ["approved", "denied", "timeout", "accepted", "error"];

/** A run whose first stage asks people, with a stage behind each of their decisions. */
export const asking = (person: JsonObject, more: Parameters<typeof runOf>[1] = {}): RunFixture =>
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

/** An approval that takes two people. */
export const approval: JsonObject = { kind: "approval", action: "deploy", reviewers: ["ann", "bob"], quorum: 2 };

/** Answers a request that must take the answer. */
export const respond = (shell: RunShell, response: JsonObject, id = `hitl_approval_run-1_1`) => {
  const reply = accepted(shell, { type: "answer_request", response: { request_id: id, ...response } });
  if (reply.type !== "answered") throw new Error(`not an answer: ${reply.type}`);
  return reply;
};

/** The events of requests, as whoever watches sees them. */
export const types = (shell: RunShell): readonly string[] =>
  liveEvents(shell.entries(), null, 1_000)
    .map(({ type }) => type)
    .filter((type) => type.startsWith("hitl."));
