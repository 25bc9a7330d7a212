import { describe, expect, it } from "vitest";
import { QueueShell } from "../../../../durable-objects/shell/queue-shell.ts";
import { sqliteStore } from "../../../../durable-objects/storage/sqlite-store.ts";
import { handlerCallFor, handlerOf } from "../../../../src/engine/trigger/handler.ts";
import { DEFAULT_POLICY } from "../../../../src/engine/work-queue/policy.ts";
import { performHandler } from "../../../../src/executor/handlers/perform.ts";
import type { HandlerDefinition } from "../../../../src/schema/trigger-handler.ts";
import { callOf, event, ports } from "./call.ts";

const never = new AbortController().signal;

const context = () => ({ now: 1_000, nextId: (prefix: string) => `${prefix}_1` });

const queue = () => {
  const store = sqliteStore();
  const shell = new QueueShell({ store, context, policy: DEFAULT_POLICY, objectId: "q" });
  const names: string[] = [];
  const enqueue: Parameters<typeof performHandler>[1]["enqueue"] = async (name, request) => {
    names.push(name);
    return shell.enqueue(request);
  };
  return { shell, names, around: ports({ enqueue }) };
};

describe("a worker handler", () => {
  it("[T-11.3] puts a job into its queue and answers with a receipt", async () => {
    const { shell, names, around } = queue();
    const outcome = await performHandler(
      callOf({ uri: "worker://triage" }, { replay: "trigger_evt_0" }),
      around,
      never,
    );
    const [job] = shell.jobs(null, 10);
    expect(names).toEqual(["triage"]);
    expect(outcome).toEqual({
      type: "succeeded",
      result: { queue: "triage", job_event_id: job?.job_id, response_topic: "worker.triage.responses" },
    });
    expect(job).toMatchObject({
      priority: "normal",
      labels: { tenant: "acme", binding_key: "hub@v3", trigger_id: "hub" },
    });
    expect(shell.job(job?.job_id ?? "")?.payload).toEqual({
      queue: "triage",
      trigger_id: "hub",
      binding_key: "hub@v3",
      binding_version: 3,
      event_id: "trigger_evt_1",
      event: event(),
      replay_of_event_id: "trigger_evt_0",
      priority: "normal",
    });
  });

  it("[T-16.1] the topic of responses has only characters that a topic may have", async () => {
    const { names, around } = queue();
    const outcome = await performHandler(callOf({ queue: "team a/é" }), around, never);
    expect(names).toEqual(["team a/é"]);
    expect(outcome).toMatchObject({ result: { queue: "team a/é", response_topic: "worker.team_a__.responses" } });
  });

  it("[T-11.3] a later attempt of the same dispatch is the same job", async () => {
    const { shell, around } = queue();
    const first = await performHandler(callOf({ queue: "q" }, { attempt: 1 }), around, never);
    const second = await performHandler(callOf({ queue: "q" }, { attempt: 2 }), around, never);
    expect(second).toEqual(first);
    expect(shell.view().summary.ready).toBe(1);
  });

  it("[T-16.1] leaves out the bytes as received where they make the job too large", async () => {
    const { shell, around } = queue();
    const large = callOf({ queue: "q" }, { event: { raw_body: "x".repeat(300_000) } });
    expect(await performHandler(large, around, never)).toMatchObject({ type: "succeeded" });
    const id = shell.jobs(null, 1)[0]?.job_id ?? "";
    expect(shell.job(id)?.payload).toMatchObject({ event: event() });
    expect(JSON.stringify(shell.job(id)?.payload).length).toBeLessThan(2_000);
  });

  it("[T-11.3] fails when the queue takes no job or cannot be reached", async () => {
    const refusal = { ok: false, rejection: { code: "unavailable", detail: "full" } } as const;
    const full = ports({ enqueue: async () => refusal });
    expect(await performHandler(callOf({ queue: "q" }), full, never)).toEqual({
      type: "failed",
      class: "infrastructure",
      error: "worker queue 'q' took no job: full",
      retryable: true,
    });
    const { around } = queue();
    const large = callOf({ queue: "q" }, { event: { provider_payload: { raw: "x".repeat(300_000) } } });
    expect(await performHandler(large, around, never)).toMatchObject({ class: "infrastructure", retryable: false });
    const away = await performHandler(callOf({ queue: "q" }), ports(), never);
    expect(away).toEqual({ type: "failed", class: "infrastructure", error: "no queue", retryable: true });
  });

  it.each<[HandlerDefinition, string, object, string]>([
    [{ queue: "q" }, "high", {}, "normal"],
    [{ queue: "q" }, " LOW ", { header: true }, "low"],
    [{ queue: "q", priority_header: true }, " High", {}, "high"],
    [{ queue: "q", priority_header: true, priority: "low" }, "urgent", {}, "low"],
    [{ queue: "q" }, "", { priority: "high" }, "high"],
    [{ queue: "q", priority: "low" }, "", { priority: "high" }, "low"],
  ])("[T-11.3] %j with the header %j and %j makes %s", (definition, header, priority, expected) => {
    const handler = handlerOf(definition, false);
    if (handler?.kind !== "worker") throw new Error("not a queue");
    const facts = { dispatch_id: "d", attempt: 1, trigger_id: "t", binding_version: 1, replay_of_event_id: null };
    const call = handlerCallFor(event({ headers: { priority: header } }), handler, { ...facts, priority });
    expect(call).toMatchObject({ kind: "worker", priority: expected });
  });
});
