import { describe, expect, it } from "vitest";
import { awakeningCommand, awakeningOf } from "../../../src/engine/worker/awakening.ts";
import { workerMachine } from "../../../src/engine/worker/machine.ts";
import { nextWorkerWake } from "../../../src/engine/worker/resume.ts";
import { summaryOf } from "../../../src/engine/worker/summary.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { WorkerFixture } from "../../support/worker-fixture.ts";

const conditions = { trigger: { provider: "github" } };

const listenerOf = (box: WorkerFixture): string => box.worker.suspension?.auto_resume_trigger?.id ?? "none";

const ordersOf = (box: WorkerFixture): readonly string[] =>
  box.takeEffects().flatMap(({ type }) => (type === "listen" || type === "unlisten" ? [type] : []));

const shownListener = (box: WorkerFixture): unknown =>
  (summaryOf(box.worker)["suspension"] as JsonObject)["auto_resume_trigger"];

describe("what listens for a suspended worker", () => {
  it("[L-18.2] is ordered until it is known to be there", () => {
    const box = WorkerFixture.parked({ conditions });
    const id = listenerOf(box);
    expect(shownListener(box)).toEqual({ id, version: 1, path: `/hooks/t/${id}`, state: "ordered" });
    expect(nextWorkerWake(box.state, box.now)).toBe(box.now + 30_000);
    box.tell({ type: "wake" });
    expect(ordersOf(box)).toEqual(["listen"]);
    box.tell({ type: "listening", trigger_id: id, problem: null });
    expect(shownListener(box)).toMatchObject({ state: "listening" });
    box.tell({ type: "wake" });
    expect(ordersOf(box)).toEqual([]);
    expect(nextWorkerWake(box.state, box.now)).toBe(null);
  });

  it("[L-18.2] is not ordered again where it cannot be, and says why", () => {
    const box = WorkerFixture.parked({ conditions });
    box.tell({ type: "listening", trigger_id: listenerOf(box), problem: "no secret" });
    expect(shownListener(box)).toMatchObject({ state: "failed", problem: "no secret" });
    expect(nextWorkerWake(box.state, box.now)).toBe(null);
  });

  it("[L-18.3] is ordered away until it is known to be gone, whoever resumed", () => {
    const box = WorkerFixture.parked({ conditions });
    const trigger_id = listenerOf(box);
    box.tell({ type: "listening", trigger_id, problem: null });
    box.resume();
    expect(ordersOf(box)).toEqual(["unlisten"]);
    box.tell({ type: "wake" });
    expect(ordersOf(box)).toEqual(["unlisten"]);
    box.tell({ type: "unlistened", trigger_id });
    expect(box.worker.listeners).toBe(undefined);
    box.tell({ type: "wake" });
    expect(ordersOf(box)).toEqual([]);
  });

  it("[L-18.2] is sent away when it comes up after it was given up", () => {
    const box = WorkerFixture.parked({ conditions });
    const trigger_id = listenerOf(box);
    box.resume();
    box.tell({ type: "unlistened", trigger_id });
    box.takeEffects();
    box.tell({ type: "listening", trigger_id, problem: null });
    expect(ordersOf(box)).toEqual(["unlisten"]);
    box.tell({ type: "unlistened", trigger_id });
    expect(box.worker.listeners).toBe(undefined);
  });
});

const event = (box: WorkerFixture) => ({
  suspended_at: box.worker.suspension?.suspended_at ?? "",
  input: { issue: 7 },
  trigger_event: { id: "evt_1", kind: "issues.opened" },
});

const awaken = (box: WorkerFixture, given: ReturnType<typeof event>) => {
  const command = awakeningCommand(given);
  const decision = workerMachine.decide(box.state, command, { now: box.now, nextId: (prefix) => `${prefix}_x` });
  if (decision.ok) box.tell(command);
  return awakeningOf(decision, box.state, given).type;
};

describe("the event of a trigger", () => {
  it("[L-18.3] resumes once, with its payload as the task", () => {
    const box = WorkerFixture.parked({ conditions });
    const given = event(box);
    expect(awaken(box, given)).toBe("resumed");
    expect(box.worker).toMatchObject({ status: "running", task: '{"issue":7}' });
    expect(box.events.at(-1)).toMatchObject({ initiator: "triggered", continue_transcript: true });
    expect(awaken(box, given)).toBe("overtaken");
  });

  it("[L-18.3] waits for the worker to come to rest, and wakes no later suspension", () => {
    const box = WorkerFixture.running();
    box.suspend({ conditions });
    const given = event(box);
    expect(awaken(box, given)).toBe("busy");
    box.rest();
    box.resume();
    box.now += 1;
    box.suspend({ conditions });
    expect(awaken(box, given)).toBe("overtaken");
  });
});

describe("an event on a channel", () => {
  const channel = "deploys";
  const hear = (box: WorkerFixture, suspended_at = box.worker.suspension?.suspended_at ?? "") =>
    box.tell({ type: "hear", channel, suspended_at, input: "go", trigger_event: { id: "event_1" } });

  it("[L-30.5] resumes who listens there", () => {
    const box = WorkerFixture.parked({ conditions: { on_event: channel } });
    expect(hear(box, "2020-01-01T00:00:00.000Z")).toMatchObject({ heard: "not_listening" });
    expect(hear(box)).toMatchObject({ heard: "resumed" });
    expect(box.worker).toMatchObject({ status: "running", task: "go" });
    expect(hear(box)).toMatchObject({ heard: "not_listening" });
  });

  it("[L-32.4] is noted until the run has come to rest; the first one counts", () => {
    const box = WorkerFixture.running();
    box.suspend({ conditions: { on_event: channel } });
    box.tell({ type: "listening", trigger_id: listenerOf(box), problem: null });
    expect(hear(box)).toMatchObject({ heard: "noted" });
    expect(nextWorkerWake(box.state, box.now)).toBe(null);
    box.rest();
    expect(nextWorkerWake(box.state, box.now)).toBe(box.now);
    box.tell({ type: "wake" });
    expect(box.worker).toMatchObject({ status: "running", task: "go" });
    expect(box.worker.heard).toBe(undefined);
  });

  it("[L-18.1] is nothing to a worker that listens elsewhere", () => {
    const box = WorkerFixture.parked({ conditions });
    expect(hear(box)).toMatchObject({ heard: "not_listening" });
    expect(box.worker.status).toBe("suspended");
  });
});
