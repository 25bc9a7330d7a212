import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { circuitObject } from "../../src/http/circuit-object.ts";
import type { DeadLetterView } from "../../src/schema/api-dlq.ts";
import { clientFor, migrateDatabase, post, refusal } from "./http-setup.ts";
import { defineWorkflow, eventIn, get, put } from "./trigger-setup.ts";

const client = clientFor();

beforeAll(async () => {
  await migrateDatabase();
  await defineWorkflow();
});

/** A trigger whose events become dead letters until its workflow is defined. */
const putFailing = (id: string, workflow: string): Promise<Response> =>
  put(id, {
    provider: "manual",
    secret: undefined,
    match: {},
    handler: { workflow },
    retry: { max: 1, backoff: "immediate" },
  });

/** An event that became a dead letter, as the list shows it. */
const buried = async (trigger: string): Promise<{ event_id: string; dlq_id: string }> => {
  const { event_id: id } = await client.triggerEvents.fire(trigger, { payload: { n: 1 } });
  await eventIn(id, "dead_lettered");
  return vi.waitUntil(
    async () => {
      const { items } = await client.deadLetters.list({ trigger_id: trigger });
      return items.find((one) => one.event_id === id) ?? false;
    },
    { timeout: 10_000, interval: 20 },
  );
};

const letterIn = (id: string, state: DeadLetterView["state"]): Promise<DeadLetterView> =>
  vi.waitUntil(
    async () => {
      const letter = await client.deadLetters.get(id);
      return letter.state === state ? letter : false;
    },
    { timeout: 10_000, interval: 20 },
  );

describe("dead letters", () => {
  it("[T-12.6] a dead letter is listed with its event, its attempts and what was done about it", async () => {
    await putFailing("lost", "later");
    const { dlq_id: id, event_id } = await buried("lost");
    const letter = await client.deadLetters.get(id);
    expect(letter).toMatchObject({
      dlq_id: id,
      event_id,
      trigger_id: "lost",
      binding_version: 1,
      state: "pending",
      error: "there is no workflow later",
      retry_history: [{ attempt: 1, status: "dlq", error: "there is no workflow later" }],
      event: { id: event_id, provider_payload: { raw: { n: 1 } } },
    });
    expect(letter.attempts).toHaveLength(letter.attempt_count);
    const fixture = await client.deadLetters.export(id);
    expect(fixture).toMatchObject({
      _type: "harn.dlq.fixture.v1",
      entry: { id, event_id, binding_id: "lost", binding_version: 1, kind: "manual", state: "pending" },
    });
    const since = encodeURIComponent("2999-01-01T00:00:00Z");
    for (const query of [`since=${since}`, "error_class=none", "trigger_id=other", "state=discarded"])
      expect(await (await get(`/v1/dlq?${query}`)).json()).toEqual({ items: [], next_cursor: null });
    expect((await client.deadLetters.list({ error_class: letter.error_class ?? "" })).items.length).toBeGreaterThan(0);
    expect(await refusal(get("/v1/dlq/none"))).toMatchObject({ status: 404, code: "dead_letter_not_found" });
    expect(await refusal(get("/v1/dlq?cursor=x"))).toMatchObject({ status: 400 });
  });

  it("[T-12.6] trying again adds to the history, and resolves it when the event is handled", async () => {
    await putFailing("again", "missing");
    const { dlq_id: id, event_id } = await buried("again");
    const [first, meanwhile] = await Promise.all([client.deadLetters.retry(id), client.deadLetters.retry(id)]);
    expect(first).toMatchObject({ event_id, dlq_id: id, binding_version: 1, replay: 1 });
    expect(meanwhile).toEqual(first);
    await vi.waitUntil(async () => (await client.deadLetters.get(id)).retry_history.length === 2, { timeout: 10_000 });
    expect((await client.deadLetters.get(id)).retry_history[1]).toMatchObject({ attempt: 2, status: "replay_dlq" });
    await defineWorkflow("missing");
    const call = { idempotency_key: "second" };
    const second = await client.deadLetters.retry(id, { requested_by: "me" }, call);
    expect(second.replay).toBe(2);
    const letter = await letterIn(id, "resolved");
    expect(letter.retry_history.map((step) => step.status)).toEqual(["dlq", "replay_dlq", "replay_succeeded"]);
    // The same request again is the same replay; another one has nothing to try.
    expect(await client.deadLetters.retry(id, { requested_by: "me" }, call)).toEqual(second);
    const late = await refusal(post(`/v1/dlq/${id}/retry`, {}));
    expect(late).toMatchObject({ status: 404, detail: `unknown pending DLQ entry '${id}'` });
    await vi.waitUntil(async () => (await client.deadLetters.list({ trigger_id: "again" })).items.length === 0, {
      timeout: 10_000,
    });
  });

  it("[T-12.6] a discarded one is off the list, with its reason", async () => {
    await putFailing("gone", "nothing");
    const { dlq_id: id } = await buried("gone");
    const letter = await client.deadLetters.discard(id, { reason: "a test" }, { idempotency_key: "d" });
    expect(letter).toMatchObject({ state: "discarded", error: "there is no workflow nothing" });
    expect(letter.retry_history[1]).toMatchObject({ status: "discarded", reason: "a test", error: null });
    expect(await client.deadLetters.discard(id, { reason: "a test" }, { idempotency_key: "d" })).toEqual(letter);
    expect(await refusal(post(`/v1/dlq/${id}/discard`, {}))).toMatchObject({ code: "dead_letter_not_found" });
    await vi.waitUntil(async () => (await client.deadLetters.list({ state: "discarded" })).items.length === 1, {
      timeout: 10_000,
    });
  });
});

describe("circuits", () => {
  it("[T-12.4] the circuit of a destination is shown with the figures, and closed by hand", async () => {
    const manual = { provider: "manual", secret: undefined, match: {} };
    await put("calls", { ...manual, handler: { http: { url: "https://down.example/x" } } });
    const { circuit: healthy } = await client.triggers.stats("calls");
    expect(healthy).toMatchObject({ state: "closed", failures: 0 });
    const { destination } = healthy ?? { destination: "" };
    expect(destination).toContain("https://down.example");
    for (let n = 1; n <= 5; n += 1) {
      await circuitObject(env, "default", destination).report({ attempt_id: `a${n}`, outcome: "failure" });
    }
    const { circuit: broken } = await client.triggers.stats("calls");
    expect(broken).toMatchObject({ destination, state: "open", failures: 5 });
    expect(Date.parse(broken?.retry_at ?? "") - Date.parse(broken?.opened_at ?? "")).toBe(60_000);
    const after = await client.triggers.resetCircuit("calls");
    expect(after).toMatchObject({ state: "closed", failures: 0, opened_at: null, retry_at: null });
    expect((await client.triggers.stats("calls")).circuit).toEqual(after);
    await put("starts");
    expect((await client.triggers.stats("starts")).circuit).toBeNull();
    const unknown = await refusal(post("/v1/triggers/nobody/reset_circuit", {}));
    expect(unknown).toMatchObject({ status: 404, code: "trigger_not_found" });
  });
});
