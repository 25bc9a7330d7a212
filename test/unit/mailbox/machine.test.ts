import { describe, expect, it } from "vitest";
import { mailboxMachine, mailboxWake } from "../../../src/engine/mailbox/machine.ts";
import { EMPTY_MAILBOX } from "../../../src/engine/mailbox/state.ts";
import { mailboxHead, queryOf, responseOf, statusOf } from "../../../src/engine/mailbox/view.ts";
import { MailboxFixture, signal, waits } from "../../support/mailbox-fixture.ts";

const received = (box: MailboxFixture): unknown => {
  const reply = box.ask({ type: "receive" });
  return reply.type === "received" ? (reply.message?.payload ?? null) : reply;
};

const status = (box: MailboxFixture) => statusOf(box.state, "wf");

describe("messages", () => {
  it("[W-13] are received oldest first, once, with increasing sequence numbers", () => {
    const box = new MailboxFixture();
    expect(box.ask(signal("a", 1))).toMatchObject({
      type: "enqueued",
      workflow_id: "wf",
      message: { seq: 1, kind: "signal", name: "a", request_id: null, enqueued_at: "2026-04-19T12:00:00.000Z" },
      status: { pending_count: 1 },
    });
    expect(box.ask({ type: "update", name: "b", payload: 2 })).toMatchObject({
      message: { seq: 2, kind: "update", request_id: "id-1" },
    });
    box.ask({ type: "pause" });
    expect([received(box), received(box), received(box), received(box)]).toEqual([1, 2, {}, null]);
    expect(status(box)).toMatchObject({ pending_count: 0, paused: true });
    expect(box.ask(signal("c"))).toMatchObject({ message: { seq: 4 } });
  });

  it("[W-13] that are too large are refused with the limit, and nothing is stored", () => {
    const box = new MailboxFixture();
    const payload = "é".repeat(65_536);
    const refusal = box.refusal({ type: "signal", name: "a", payload });
    expect(refusal).toMatchObject({ code: "payload_too_large", details: { max_bytes: 131_072 } });
    expect(box.refusal({ type: "publish_query", name: "a", value: payload }).code).toBe("payload_too_large");
    expect(box.refusal({ type: "respond_update", request_id: "r", value: payload }).code).toBe("payload_too_large");
    box.ask({ type: "signal", name: "a", payload: payload.slice(2) });
    expect(box.state.messages).toHaveLength(1);
  });

  it("[W-13] of a full mailbox are refused until one is received; a pause still gets through", () => {
    const box = new MailboxFixture();
    for (let i = 0; i < 10_000; i++) box.ask(signal("a", i));
    expect(box.refusal(signal("a"))).toMatchObject({ code: "rate_limited", detail: expect.stringContaining("10000") });
    box.ask({ type: "pause" });
    received(box);
    received(box);
    box.ask(signal("a"));
    expect(box.refusal(signal("a")).code).toBe("rate_limited");
  });

  it("[W-13] take no more than 16 MiB together, also while they are on their way", () => {
    const box = new MailboxFixture();
    const payload = "x".repeat(131_070);
    for (let i = 0; i < 128; i++) box.ask({ type: "signal", name: "a", payload });
    box.ask(waits("s"));
    expect(box.refusal(signal("b")).code).toBe("rate_limited");
    box.ask({ type: "pause" });
    box.report({ type: "confirm_delivery", seq: 1, run_id: "run-s", stage_id: "s" });
    box.ask(signal("b"));
  });
});

describe("stages that wait", () => {
  it("[M3] get the oldest message of their name that is queued, else the next one", () => {
    const box = new MailboxFixture();
    box.ask(signal("other"));
    box.ask(signal("go", 1));
    box.ask(signal("go", 2));
    box.ask(waits("s", "go"));
    box.ask(waits("t", "later"));
    expect(box.takeDeliveries()).toEqual([{ type: "deliver", seq: 2, run_id: "run-s", stage_id: "s" }]);
    expect(status(box)).toMatchObject({ pending_count: 2, delivering_count: 1, subscriber_count: 1 });
    box.ask(signal("later"));
    expect(box.takeDeliveries()).toEqual([{ type: "deliver", seq: 4, run_id: "run-t", stage_id: "t" }]);
    expect(status(box)).toMatchObject({ pending_count: 2, delivering_count: 2, subscriber_count: 0 });
  });

  it("[M3] are served in the order they came, and only with the kinds they name, never with control messages", () => {
    const box = new MailboxFixture();
    box.ask({ ...waits("updates"), kinds: ["update"] });
    box.ask(waits("any"));
    box.ask({ type: "pause" });
    box.ask(signal("a"));
    expect(box.takeDeliveries().map((delivery) => delivery.stage_id)).toEqual(["any"]);
    box.ask({ type: "update", name: "u", payload: null });
    expect(box.takeDeliveries().map((delivery) => delivery.stage_id)).toEqual(["updates"]);
  });

  it("[M4] wait once, however often they say so, and not while a message is on its way to them", () => {
    const box = new MailboxFixture();
    box.ask(waits("s"));
    const before = box.events.length;
    box.ask(waits("s"));
    expect(box.events).toHaveLength(before);
    box.ask(signal("a", 1));
    box.ask(waits("s"));
    box.ask(signal("a", 2));
    expect(box.takeDeliveries()).toHaveLength(1);
    expect(status(box)).toMatchObject({ pending_count: 1, subscriber_count: 0 });
  });

  it("[W-13] can stop waiting, more than once", () => {
    const box = new MailboxFixture();
    const gone = { type: "unsubscribe", run_id: "run-s", stage_id: "s" } as const;
    box.ask(waits("s"));
    box.ask(gone);
    const before = box.events.length;
    box.ask(gone);
    expect(box.events).toHaveLength(before);
    box.ask(signal("a"));
    expect(box.takeDeliveries()).toEqual([]);
  });

  it("[M2] that no longer wait give the message back, in its old place or to the next stage", () => {
    const box = new MailboxFixture();
    for (const payload of [1, 2, 3]) box.ask(signal("a", payload));
    box.ask(waits("s"));
    box.ask(waits("t"));
    box.report({ type: "return_message", seq: 1, run_id: "run-s", stage_id: "s" });
    box.report({ type: "return_message", seq: 2, run_id: "run-t", stage_id: "t" });
    expect(box.state.messages.map((message) => message.payload)).toEqual([1, 2, 3]);
    box.takeDeliveries();
    box.ask(waits("u", "b"));
    box.ask(waits("v"));
    box.ask(waits("w"));
    box.report({ type: "return_message", seq: 1, run_id: "run-v", stage_id: "v" });
    expect(box.state.messages.map((message) => message.seq)).toEqual([1, 3]);
    box.ask(waits("x"));
    expect(box.takeDeliveries().map((delivery) => [delivery.seq, delivery.stage_id])).toEqual([
      [1, "v"],
      [2, "w"],
      [1, "x"],
    ]);
  });

  it("[M3] get a message that another stage has given back", () => {
    const box = new MailboxFixture();
    box.ask(waits("s"));
    box.ask(waits("t"));
    box.ask(signal("a"));
    box.report({ type: "return_message", seq: 1, run_id: "run-s", stage_id: "s" });
    expect(box.takeDeliveries().map((delivery) => delivery.stage_id)).toEqual(["s", "t"]);
    expect(box.state.messages).toEqual([]);
  });

  it("[M5] confirm or return a message once; reports that come again or too late change nothing", () => {
    const box = new MailboxFixture();
    box.ask(waits("s"));
    box.ask(signal("a"));
    const of = { seq: 1, run_id: "run-s", stage_id: "s" };
    box.report({ type: "confirm_delivery", ...of });
    const before = box.events.length;
    box.report({ type: "confirm_delivery", ...of });
    box.report({ type: "return_message", ...of });
    expect(box.events).toHaveLength(before);
    expect(status(box)).toMatchObject({ pending_count: 0, delivering_count: 0 });
    expect(box.state.message_bytes).toBe(0);
  });

  it("[W-13] are not more than 10,000", () => {
    const box = new MailboxFixture();
    const subscribers = Array.from({ length: 10_000 }, (_, index) => ({
      run_id: "r",
      stage_id: `s${index}`,
      name: null,
      kinds: ["signal"] as const,
    }));
    box.state = { ...EMPTY_MAILBOX, subscribers };
    expect(box.refusal(waits("one too many")).code).toBe("rate_limited");
  });
});

describe("queries, updates and generations", () => {
  it("[W-13] a query shows the last value", () => {
    const box = new MailboxFixture();
    box.ask({ type: "publish_query", name: "pct", value: 1 });
    expect(box.ask({ type: "publish_query", name: "pct", value: 42 })).toMatchObject({ status: { query_count: 1 } });
    expect(queryOf(box.state, "pct")?.value).toBe(42);
    expect(queryOf(box.state, "__proto__")).toBeNull();
  });

  it("[W-13] queries are bounded in number and size; replacing one needs no room of its own", () => {
    const box = new MailboxFixture();
    const value = "x".repeat(131_070);
    for (let i = 0; i < 32; i++) box.ask({ type: "publish_query", name: `q${i}`, value });
    expect(box.refusal({ type: "publish_query", name: "more", value: 1 }).code).toBe("rate_limited");
    box.ask({ type: "publish_query", name: "q0", value: 1 });
    const many = new MailboxFixture();
    for (let i = 0; i < 200; i++) many.ask({ type: "publish_query", name: `q${i}`, value: i });
    expect(many.refusal({ type: "publish_query", name: "more", value: 1 }).code).toBe("rate_limited");
    many.ask({ type: "publish_query", name: "q7", value: 8 });
  });

  it("[W-13] an update is answered under its request id; the last answer counts, also one nobody has asked for", () => {
    const box = new MailboxFixture();
    box.ask({ type: "respond_update", request_id: "r", value: 1, name: "ping" });
    box.ask({ type: "respond_update", request_id: "r", value: 2 });
    expect(responseOf(box.state, "r")).toEqual({
      request_id: "r",
      name: null,
      value: 2,
      responded_at: "2026-04-19T12:00:00.000Z",
    });
    expect(responseOf(box.state, "other")).toBeNull();
    expect(status(box).response_count).toBe(1);
  });

  it("[W-13] of many responses the newest are kept", () => {
    const box = new MailboxFixture();
    for (let i = 0; i < 1_001; i++) box.ask({ type: "respond_update", request_id: `r${i}`, value: i });
    expect(status(box).response_count).toBe(1_000);
    expect([responseOf(box.state, "r0"), responseOf(box.state, "r1000")?.value]).toEqual([null, 1000]);
    for (let i = 0; i < 33; i++) box.ask({ type: "respond_update", request_id: `l${i}`, value: "x".repeat(131_070) });
    expect([responseOf(box.state, "l0"), status(box).response_count]).toEqual([null, 32]);
  });

  it("[W-13] a new generation drops the responses and keeps the rest", () => {
    const box = new MailboxFixture();
    box.ask(signal("a"));
    box.ask({ type: "publish_query", name: "q", value: 1 });
    box.ask({ type: "respond_update", request_id: "r", value: 1 });
    box.ask({ type: "pause" });
    expect(box.ask({ type: "continue_as_new" })).toMatchObject({
      status: {
        generation: 2,
        continue_as_new_count: 1,
        last_continue_as_new_at: "2026-04-19T12:00:00.000Z",
        response_count: 0,
        pending_count: 2,
        query_count: 1,
        paused: true,
      },
    });
    expect(box.state.next_seq).toBe(2);
  });
});

const orders = (box: MailboxFixture): unknown => box.effects.splice(0);

describe("pausing", () => {
  it("[M6] orders the runs to be told until they were, ever more rarely", () => {
    const box = new MailboxFixture();
    const order = { type: "control_runs", tenant: "t", workflow_id: "wf", verb: "pause" };
    expect(box.ask({ type: "pause" })).toMatchObject({ status: { paused: true, pending_count: 1 } });
    expect(orders(box)).toEqual([{ ...order, at_ms: box.now }]);
    expect(mailboxWake(box.state)).toBe(box.now + 30_000);
    box.report({ type: "wake" });
    expect(orders(box)).toEqual([]);
    box.now += 30_000;
    box.report({ type: "wake" });
    expect(orders(box)).toEqual([{ ...order, at_ms: box.now }]);
    expect(mailboxWake(box.state)).toBe(box.now + 60_000);
    box.report({ type: "wake", lost: true });
    expect(orders(box)).toHaveLength(1);
    box.report({ type: "settle_control", seq: 1 });
    expect(mailboxWake(box.state)).toBeNull();
    box.report({ type: "wake", lost: true });
    expect(orders(box)).toEqual([]);
  });

  it("[M6] an order that was overtaken settles nothing", () => {
    const box = new MailboxFixture();
    box.ask({ type: "pause" });
    box.ask({ type: "resume" });
    box.report({ type: "settle_control", seq: 1 });
    expect(box.state.control).toMatchObject({ seq: 2 });
    expect(orders(box)).toMatchObject([{ verb: "pause" }, { verb: "resume" }]);
  });
});

describe("a mailbox nobody has written to", () => {
  it("[W-13] answers reads and commands that find nothing without an event", () => {
    const box = new MailboxFixture();
    expect(received(box)).toBeNull();
    expect(box.ask({ type: "unsubscribe", run_id: "r", stage_id: "s" })).toMatchObject({
      status: { workflow_id: "wf", generation: 1, paused: false, base_dir: null, last_continue_as_new_at: null },
    });
    box.report({ type: "confirm_delivery", seq: 1, run_id: "r", stage_id: "s" });
    box.report({ type: "wake" });
    expect(box.events).toEqual([]);
    expect(mailboxHead(box.state)).toBeNull();
    box.ask(signal("a"));
    expect(mailboxHead(box.state)).toEqual({ tenant: "t", workflow_id: "wf", generation: 1, paused: false });
  });

  it("[I2] evolve takes events of messages it does not know for what they are: nothing", () => {
    const of = { seq: 9, run_id: "r", stage_id: "s" };
    for (const type of ["delivery_started", "delivery_accepted", "delivery_returned"] as const)
      expect(mailboxMachine.evolve(EMPTY_MAILBOX, { type, ...of })).toBe(EMPTY_MAILBOX);
    expect(mailboxMachine.evolve(EMPTY_MAILBOX, { type: "message_received", seq: 9 })).toBe(EMPTY_MAILBOX);
    expect(mailboxMachine.evolve(EMPTY_MAILBOX, { type: "control_settled", seq: 9 })).toBe(EMPTY_MAILBOX);
  });
});
