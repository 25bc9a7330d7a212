import { describe, expect, it } from "vitest";
import { type ReplayAsk, replayEvent } from "../../../durable-objects/shell/event-inspection.ts";
import { leftovers } from "../../support/intake/faults.ts";
import { type HostedShard, sharded } from "./sharded.ts";
import { given, type HostedTrigger } from "./hosted.ts";

const HOUR = 3_600_000;
const FAILED = { type: "failed", class: "infrastructure", code: "c", detail: "d", retryable: true } as const;
const FINISHED = { handler: { workflow: "w", completion: "finished" }, concurrency: { max: 1 } };

const rowsOf = ({ store }: HostedTrigger | HostedShard): readonly string[] => leftovers(store);

/** The keys that the coordinating object sent messages for since it was asked last. */
const woken = (main: HostedTrigger): readonly string[] => main.takeSent();

describe("permits over shards", () => {
  it("[T-10.5] an event of one shard waits for that of another, is woken, and leaves nothing behind", () => {
    const { main, one, two } = sharded({ concurrency: { max: 1 } });
    one.deliver("a");
    two.deliver("b");
    expect(one.begin("a")).toMatchObject({ type: "handle" });
    expect(two.begin("b")).toBeNull();
    expect(two.record("b").status).toBe("parked");
    one.settle("a");
    expect(woken(main)).toEqual([]);
    one.tellLeft();
    expect(main.sent).toMatchObject([{ dedupe_key: "b", shard: 1 }]);
    expect(two.begin("b")).toMatchObject({ type: "handle" });
    two.settle("b");
    two.tellLeft();
    expect(
      [main, one, two]
        .map(rowsOf)
        .flat()
        .filter((fault) => fault.includes("rows")),
    ).toEqual([]);
  });

  it("[T-10.5] a wake-up is sent again until the shard has asked", () => {
    const { main, one, two } = sharded({ concurrency: { max: 1 } });
    one.deliver("a");
    two.deliver("b");
    one.begin("a");
    two.begin("b");
    one.settle("a");
    one.tellLeft();
    main.restart();
    expect(main.pass(6_000)).toMatchObject([{ dedupe_key: "b", shard: 1 }]);
    expect(two.begin("b")).toMatchObject({ type: "handle" });
    expect(main.pass(60_000)).toEqual([]);
  });

  it("[T-10.5] a run that takes hours keeps its permit", () => {
    const { main, one, two } = sharded(FINISHED);
    one.deliver("a");
    two.deliver("b");
    expect(one.begin("a")).toMatchObject({ type: "handle" });
    one.settle("a", { type: "running" });
    for (let passed = 0; passed < 3 * HOUR; passed += 900_000) {
      main.pass(900_000);
      // The message that an event under way is looked after with.
      expect(one.begin("a")).toMatchObject({ type: "handle" });
      expect(two.begin("b")).toBeNull();
    }
    expect(two.record("b").status).toBe("parked");
  });

  it("[T-10.5] the permit is held over the wait for the next attempt", () => {
    const retry = { max: 3, backoff: { kind: "linear", delay_ms: 2 * HOUR } };
    const { main, one, two } = sharded({ singleton: {}, retry });
    one.deliver("a");
    two.deliver("b");
    one.begin("a");
    one.settle("a", FAILED);
    main.pass(HOUR);
    two.begin("b");
    expect(two.record("b")).toMatchObject({ status: "skipped" });
    main.pass(HOUR);
    expect(one.begin("a")).toMatchObject({ type: "handle" });
  });

  it("[T-10.5] an event that lost its permit waits until it has it again, though it was let through once", () => {
    const { main, one, two } = sharded({ concurrency: { max: 1 }, retry: { max: 9, backoff: "immediate" } });
    one.deliver("a");
    two.deliver("b");
    one.begin("a");
    two.begin("b");
    one.settle("a");
    one.tellLeft();
    two.begin("b");
    two.settle("b", FAILED);
    main.pass(HOUR);
    one.deliver("c");
    expect(one.begin("c")).toMatchObject({ type: "handle" });
    expect(two.begin("b")).toBeNull();
    one.settle("c");
    one.tellLeft();
    expect(two.begin("b")).toMatchObject({ type: "handle" });
  });

  it("[T-10.5] an event that was let through and did not ask in time holds no permit twice", () => {
    const { main, one, two } = sharded({ concurrency: { max: 1 } });
    one.deliver("a");
    two.deliver("b");
    one.begin("a");
    two.begin("b");
    one.settle("a");
    one.tellLeft();
    // The shard is away for longer than its permit is kept.
    main.pass(HOUR);
    one.deliver("c");
    expect(one.begin("c")).toMatchObject({ type: "handle" });
    expect(two.begin("b")).toBeNull();
  });
});

describe("answers that are lost", () => {
  it("[T-10.3] an event that was let through once is not limited by itself when it asks again", () => {
    const { main, one } = sharded({ rate_limit: { period: "1h", max: 1 } });
    one.deliver("a");
    const asked = one.shell.dispatch("a");
    if (!asked.ok || asked.reply.order?.type !== "coordinate") throw new Error("it asks nobody");
    expect(one.ask(asked.reply.order)).toMatchObject({ type: "admitted" });
    main.restart();
    expect(one.begin("a")).toMatchObject({ type: "handle" });
  });

  it("[T-9.5] a decision counts once against the autonomy budget", () => {
    const { main, one, two } = sharded({ budget: { max_autonomous_decisions_per_hour: 2 } });
    one.deliver("a");
    two.deliver("b");
    two.deliver("c");
    for (let times = 0; times < 3; times += 1) {
      const asked = one.shell.dispatch("a");
      if (!asked.ok || asked.reply.order?.type !== "coordinate") throw new Error("it asks nobody");
      expect(one.ask(asked.reply.order)).toMatchObject({ type: "admitted" });
      main.restart();
    }
    expect(one.begin("a")).toMatchObject({ type: "handle" });
    expect(two.begin("b")).toMatchObject({ type: "handle" });
    expect(two.begin("c")).toBeNull();
    expect(two.record("c").status).toBe("waiting");
  });

  it("[T-9.1] a model is asked once about an event", () => {
    const { main, one } = sharded({ when: { model: { prompt: "p" } }, throttle: { period: "1h", max: 1 } });
    const yes = { type: "answered", value: true, cost_usd: 0, tokens: 1, llm_calls: 1, latency_ms: 1 } as const;
    one.deliver("a");
    const asked = one.shell.dispatch("a");
    if (!asked.ok || asked.reply.order?.type !== "coordinate") throw new Error("it asks nobody");
    expect(one.ask(asked.reply.order, yes)).toMatchObject({ type: "admitted" });
    main.restart();
    expect(one.begin("a")).toMatchObject({ type: "handle" });
  });

  it("[T-11.1] a question about an event that was cancelled meanwhile leaves no permit behind", () => {
    const { main, one, two } = sharded({ concurrency: { max: 1 } });
    one.deliver("a");
    const asked = one.shell.dispatch("a");
    if (!asked.ok || asked.reply.order?.type !== "coordinate") throw new Error("it asks nobody");
    one.shell.cancel("a", { requested_by: null, audit_id: null });
    one.tellLeft();
    // The question comes after the end.
    const admission = one.ask(asked.reply.order);
    expect(admission).toMatchObject({ type: "admitted" });
    if (admission != null) one.shell.dispatch("a", { admission });
    one.tellLeft();
    two.deliver("b");
    expect(two.begin("b")).toMatchObject({ type: "handle" });
    two.settle("b");
    two.tellLeft();
    expect(main.store.query("SELECT id FROM flow_ticket")).toEqual([]);
  });

  it("[T-11.1] a permit of an event that is over is asked about when its time is up", () => {
    const { main, one } = sharded({ concurrency: { max: 1 } });
    one.deliver("a");
    const asked = one.shell.dispatch("a");
    if (!asked.ok || asked.reply.order?.type !== "coordinate") throw new Error("it asks nobody");
    one.shell.cancel("a", { requested_by: null, audit_id: null });
    one.tellLeft();
    one.ask(asked.reply.order);
    main.takeSent();
    main.pass(HOUR);
    expect(new Set(woken(main))).toEqual(new Set(["a"]));
    one.begin("a");
    one.tellLeft();
    expect(main.store.query("SELECT id FROM flow_ticket")).toEqual([]);
  });
});

describe("other requests", () => {
  it("[T-11.1] a parked event that is cancelled gives its place up", () => {
    const { main, one, two } = sharded({ concurrency: { max: 1 } });
    one.deliver("a");
    two.deliver("b");
    two.deliver("c");
    one.begin("a");
    two.begin("b");
    two.begin("c");
    expect(two.shell.cancel("b", { requested_by: null, audit_id: null }).ok).toBe(true);
    two.tellLeft();
    one.settle("a");
    one.tellLeft();
    expect(woken(main)).toEqual(["c"]);
  });

  it("[T-23] a replay has a ticket of its own", () => {
    const { main, one } = sharded({ concurrency: { max: 1 } });
    one.deliver("a");
    one.begin("a");
    one.settle("a");
    one.tellLeft();
    const request = { version: main.version, as_of: null, dlq_id: null, requested_by: null, not_before: null };
    for (let times = 0; times < 2; times += 1) expect(one.shell.replay("a", request).ok).toBe(true);
    const keys = one.sent.slice(-2).map((message) => message.dedupe_key);
    expect(one.begin(keys[0] ?? "")).toMatchObject({ type: "handle" });
    expect(one.begin(keys[1] ?? "")).toBeNull();
    one.settle(keys[0] ?? "");
    one.tellLeft();
    expect(main.sent).toMatchObject([{ dedupe_key: keys[1], shard: 0 }]);
    expect(one.begin(keys[1] ?? "")).toMatchObject({ type: "handle" });
    one.settle(keys[1] ?? "");
    one.tellLeft();
    expect(main.store.query("SELECT ticket FROM shard_verdict")).toEqual([]);
    expect(one.record("a").replays).toMatchObject([{ status: "dispatched" }, { status: "dispatched" }]);
  });

  it("[T-6.3] an event of a shard is replayed under the version of a moment, as its trigger knows it", () => {
    const { main, one } = sharded({});
    one.deliver("a");
    const { event } = one.record("a");
    const before = main.now;
    main.pass(HOUR);
    main.put({ shards: 2, match: {}, handler: { function: "other" } });
    one.update(0);
    const ask = { dlq_id: null, requested_by: null, not_before: null };
    const made = (version: Pick<ReplayAsk, "version" | "as_of">): number =>
      given(replayEvent(one.shell, { key: "a", event_id: event.id }, { ...ask, ...version })).binding_version;
    expect(made({ as_of: main.now })).toBe(2);
    expect(made({ as_of: before })).toBe(1);
    expect(made({ version: 2 })).toBe(2);
  });

  it("[T-6.1] a shard that missed a change asks for it, and one that knows more sends its caller back", () => {
    const { main, one } = sharded({});
    const deliver = (key: string, seq: number) => {
      const event = { provider: "github", kind: "issues.opened", dedupe_key: key } as never;
      return one.shell.acceptInShard({ tenant: "t1", version: main.version, event }, seq);
    };
    const { seq } = main.shell.binding;
    main.shell.configure({ type: "pause" });
    expect(deliver("a", main.shell.binding.seq)).toBe("behind");
    one.update(0);
    expect(deliver("a", seq)).toBe("stale");
    expect(deliver("a", main.shell.binding.seq)).toMatchObject({ ok: false, rejection: { code: "trigger_paused" } });
  });
});
