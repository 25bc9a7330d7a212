import { describe, expect, it } from "vitest";
import { queuedInInbox, sortedQueued, type TopicRecord } from "../../../src/engine/finish/queued.ts";
import { settlementOf } from "../../../src/engine/finish/acknowledge.ts";
import { payloadSummary, triggerSummary } from "../../../src/engine/finish/summaries.ts";
import type { JsonObject } from "../../../src/lib/json.ts";

const record = (
  kind: string,
  headers: Readonly<Record<string, string>>,
  payload: JsonObject,
  occurred_at_ms = 1_000,
): TopicRecord => ({ kind, headers, payload, occurred_at_ms });

const ingested = (event: string, headers: Readonly<Record<string, string>> = {}, more: JsonObject = {}): TopicRecord =>
  record("event_ingested", headers, { ...more, event: { id: event, provider: "github", kind: "push" } });

const idsOf = (topics: Partial<Parameters<typeof queuedInInbox>[0]>): readonly string[] =>
  queuedInInbox({ inbox: [], outbox: [], cancels: [], ...topics }, 2_000).map(({ id }) => id);

const at = (event: string, ms: number): TopicRecord => record("event_ingested", {}, { id: event }, ms);

describe("triggers that wait in the inbox", () => {
  it("[L-22.2] any outbox record settles its binding, one without a binding settles all", () => {
    const inbox = ["e1", "e2", "e3"].flatMap((event) => [
      ingested(event, { binding_key: "a@v1" }),
      ingested(event, { binding_key: "b@v1" }),
    ]);
    const outbox = [
      record("dispatch_waiting", { event_id: "e1", binding_key: "a@v1" }, {}),
      record("dispatch_started", {}, { event_id: "e2" }),
      record("dispatch_failed", { binding_key: "a@v1" }, {}),
    ];
    expect(idsOf({ inbox, outbox })).toEqual(["trigger://b@v1/e1", "trigger://a@v1/e3", "trigger://b@v1/e3"]);
  });

  it("[L-22.2] an event without a binding is not settled by records of a binding", () => {
    const inbox = [ingested("e1")];
    const outbox = [record("dispatch_succeeded", { event_id: "e1", binding_key: "a@v1" }, {})];
    expect(idsOf({ inbox, outbox })).toEqual(["trigger://e1"]);
  });

  it("[L-22.2] the binding follows from trigger and version where no header names it", () => {
    const named = ingested("e1", { trigger_id: "t" }, { binding_version: 3 });
    expect(idsOf({ inbox: [named, ingested("e2", {}, { trigger_id: "u", binding_version: 1 })] })).toEqual([
      "trigger://t@v3/e1",
      "trigger://u@v1/e2",
    ]);
    expect(idsOf({ inbox: [ingested("e3", { trigger_id: "t" }, { binding_version: "3" })] })).toEqual(["trigger://e3"]);
  });

  it("[L-22.2] the payload may be the event itself; what has no id, or another kind, is no event", () => {
    const bare = record("event_ingested", {}, { id: "e1" });
    const nameless = record("event_ingested", {}, { event: { provider: "github" } });
    const other = record("event_noted", {}, { id: "e2" });
    expect(idsOf({ inbox: [bare, nameless, other] })).toEqual(["trigger://e1"]);
    const [item] = queuedInInbox({ inbox: [bare], outbox: [], cancels: [] }, 500);
    expect(item).toMatchObject({ age_ms: 0, spec_summary: "trigger event", trigger_id: null, source: "trigger_inbox" });
  });

  it("[L-22.3] items are ordered by time, then by id", () => {
    const items = queuedInInbox({ inbox: [at("c", 2), at("b", 1), at("a", 2)], outbox: [], cancels: [] }, 3);
    expect(sortedQueued(items).map(({ event_id }) => event_id)).toEqual(["b", "a", "c"]);
  });

  it("[L-22.4] an event without a binding cannot be settled", () => {
    const [free] = queuedInInbox({ inbox: [ingested("e1")], outbox: [], cancels: [] }, 2_000);
    const [bound] = queuedInInbox({ inbox: [ingested("e1", { binding_key: "a@v1" })], outbox: [], cancels: [] }, 2_000);
    if (free === undefined || bound === undefined) throw new Error("nothing waits");
    expect(settlementOf(free)).toEqual({ ok: false, error: "queued trigger is missing binding_key" });
    expect(settlementOf({ ...bound, event_id: "" })).toEqual({
      ok: false,
      error: "queued trigger is missing event_id",
    });
    expect(settlementOf(bound)).toMatchObject({ value: { type: "cancel_event", event_id: "e1" } });
    const job = { ...bound, source: "worker_queue", queue: "q", job_event_id: "j" } as const;
    expect(settlementOf(job)).toMatchObject({ value: { type: "ack_job", queue: "q", job_id: "j" } });
  });
});

describe("summaries", () => {
  it("[L-22.3] a trigger is named by its id, its provider and its kind", () => {
    const none = { trigger_id: null, provider: null, kind: null };
    expect(triggerSummary({ trigger_id: "t", provider: "github", kind: "push" })).toBe("t: github.push");
    expect(triggerSummary({ trigger_id: "t", provider: "github", kind: null })).toBe("t");
    expect(triggerSummary({ trigger_id: "", provider: "github", kind: "push" })).toBe("github.push");
    expect(triggerSummary({ ...none, provider: "github" })).toBe("github");
    expect(triggerSummary({ ...none, kind: "push" })).toBe("push");
    expect(triggerSummary(none)).toBe("trigger event");
  });

  it("[L-21.5] a text is cut after 80 code points, not characters of UTF-16", () => {
    const faces = "😀".repeat(80);
    expect(payloadSummary(faces)).toBe(faces);
    expect(payloadSummary(`${faces}x`)).toBe(`${faces}...`);
    expect(payloadSummary(`x${faces}`)).toBe(`x${"😀".repeat(79)}...`);
    expect(payloadSummary("a".repeat(81))).toBe(`${"a".repeat(80)}...`);
  });

  it("[L-21.5] other payloads are named by their shape, keys in the order of their code points", () => {
    expect(payloadSummary(null)).toBe("nil");
    expect(payloadSummary(1.5)).toBe("1.5");
    expect(payloadSummary(false)).toBe("false");
    expect(payloadSummary([])).toBe("list(len=0)");
    expect(payloadSummary({ b: 1, a: 1 })).toBe("object(keys=a,b)");
    expect(payloadSummary({ g: 1, f: 1, e: 1, d: 1, c: 1, b: 1, a: 1 })).toBe("object(keys=a,b,c,d,e,f,...)");
  });
});
