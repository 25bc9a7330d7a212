import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { QueueShell } from "../../durable-objects/shell/queue-shell.ts";
import { sqliteStore } from "../../durable-objects/storage/sqlite-store.ts";
import type { JobPriority, JobTarget } from "../../src/engine/work-queue/job.ts";
import { isClaimed } from "../../src/engine/work-queue/machine.ts";
import { DEFAULT_POLICY, type QueuePolicy } from "../../src/engine/work-queue/policy.ts";
import { effectiveRank, NEW_SCHEDULER, pickJob } from "../../src/engine/work-queue/scheduler.ts";

const MAX_DELIVERIES = 3;

type Move =
  | { readonly do: "enqueue"; readonly priority: JobPriority; readonly tenant: string; readonly waited_for: boolean }
  | { readonly do: "claim"; readonly ttl_ms: number }
  | { readonly do: "renew" | "release" | "ack" | "fail" | "fail_for_good"; readonly claim: number }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "alarm" | "restart" | "purge" };

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("enqueue" as const),
      priority: fc.constantFrom<JobPriority>("high", "normal", "low"),
      tenant: fc.constantFrom("a", "b", "c"),
      waited_for: fc.boolean(),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("claim" as const), ttl_ms: fc.constantFrom(1_000, 60_000) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom("renew" as const, "release", "ack", "fail", "fail_for_good"),
      claim: fc.nat(9),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(500, 5_000, 400_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("alarm" as const, "restart", "purge") }) },
);

const policies = fc.record({
  strategy: fc.constantFrom<QueuePolicy["strategy"]>("fifo", "drr"),
  max_concurrent_per_key: fc.constantFrom(0, 1),
});

/** A queue on its storage with a clock of its own, and everything that its workers were told. */
class World {
  readonly store = sqliteStore();
  readonly claims: { readonly job_id: string; readonly claim_id: string }[] = [];
  readonly put: string[] = [];
  now = 1_000_000;
  #ids = 0;
  readonly #policy: QueuePolicy;
  shell: QueueShell;

  constructor(policy: Partial<QueuePolicy>) {
    this.#policy = { ...DEFAULT_POLICY, max_deliveries: MAX_DELIVERIES, ...policy };
    this.shell = this.load();
  }

  load(): QueueShell {
    const nextId = (prefix: string): string => `${prefix}_${++this.#ids}`;
    const context = () => ({ now: this.now, nextId });
    return new QueueShell({ store: this.store, context, policy: this.#policy, objectId: "q" });
  }

  play(step: Move): void {
    const { shell } = this;
    switch (step.do) {
      case "enqueue": {
        const job_id = `job-${this.put.length}`;
        const target: JobTarget = {
          tenant: "t",
          run_id: job_id,
          stage_id: job_id,
          node_id: "n",
          attempt_token: "x",
          command: "c",
        };
        const labels = { tenant: step.tenant, binding_key: null, trigger_id: null };
        const request = { job_id, payload: job_id, priority: step.priority, labels, max_deliveries: null };
        expect(shell.enqueue({ ...request, target: step.waited_for ? target : null }).ok).toBe(true);
        this.put.push(job_id);
        return;
      }
      case "claim":
        this.claim(step.ttl_ms);
        return;
      case "wait":
        this.now += step.ms;
        return;
      case "alarm":
        shell.sweep();
        return;
      case "restart":
        this.shell = this.load();
        return;
      case "purge":
        shell.purge("test", null);
        return;
      default: {
        const held = this.claims[step.claim % Math.max(this.claims.length, 1)];
        if (held !== undefined) this.tell(step.do, held);
      }
    }
  }

  claim(ttl_ms: number): void {
    const before = new Map(this.shell.jobs("open", 1_000).map((job) => [job.job_id, job]));
    const answer = this.shell.claim({ consumer_id: `c${this.claims.length}`, ttl_ms });
    if (!answer.ok || answer.reply === null) return;
    const { job, payload } = answer.reply;
    const was = before.get(job.job_id);
    // Nobody is given what another one holds, and nobody a job whose deliveries are used up.
    expect(was === undefined || isClaimed(was, this.now)).toBe(false);
    expect(was?.deliveries ?? MAX_DELIVERIES).toBeLessThan(MAX_DELIVERIES);
    expect(payload).toBe(job.job_id);
    this.claims.push({ job_id: job.job_id, claim_id: job.claim?.claim_id ?? "" });
  }

  tell(verb: "renew" | "release" | "ack" | "fail" | "fail_for_good", held: (typeof this.claims)[number]): void {
    const { job_id, claim_id } = held;
    const before = this.shell.job(job_id)?.job;
    const answer =
      verb === "renew"
        ? this.shell.tell(job_id, { type: "renew", claim_id, ttl_ms: 60_000 })
        : verb === "release"
          ? this.shell.tell(job_id, { type: "release", claim_id, reason: null })
          : verb === "ack"
            ? this.shell.tell(job_id, { type: "ack", claim_id, result: null })
            : this.shell.tell(job_id, { type: "fail", claim_id, error: "e", retry: verb === "fail" });
    // Whoever is refused changes nothing; what is settled never changes again.
    if (!answer.ok || before?.status !== "open") expect(this.shell.job(job_id)?.job).toEqual(before);
  }
}

const effects = (world: World): readonly string[] =>
  world.store.query("SELECT id FROM outbox ORDER BY id").map((row) => String(row["id"]));

describe("a work queue", () => {
  it("[T-16.2] loses no job, never has two holders of one, and bounds deliveries, over restarts", () => {
    fc.assert(
      fc.property(policies, fc.array(move, { maxLength: 60 }), (policy, moves) => {
        const world = new World(policy);
        for (const step of moves) {
          world.play(step);
          if (world.put.length === 0) continue;
          const jobs = world.shell.jobs(null, 1_000);
          expect(jobs.map((job) => job.job_id).toSorted()).toEqual(world.put.toSorted());
          const waitedFor = jobs.filter((job) => job.target !== null && job.status !== "open");
          // A run is told exactly when its job is settled, once (I4); and then an alarm is set (I1).
          expect(effects(world)).toEqual(waitedFor.map((job) => `q:${job.job_id}`).toSorted());
          if (waitedFor.length > 0) expect(world.store.alarmAt()).not.toBeNull();
          for (const job of jobs) expect(job.deliveries).toBeLessThanOrEqual(MAX_DELIVERIES);
          const { summary } = world.shell.view();
          const { ready, in_flight, waiting, acked, dead, purged } = summary;
          expect(ready + in_flight + waiting + acked + dead + purged).toBe(world.put.length);
        }
        world.store.close();
      }),
      { numRuns: 150 },
    );
  });

  it("[T-16.3] every open job is settled in the end when workers keep failing", () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 30 }), (moves) => {
        const world = new World({ strategy: "fifo" });
        for (const step of moves) world.play(step);
        for (let round = 0; round < (MAX_DELIVERIES + 1) * (world.put.length + 1); round++) {
          world.now += 400_000;
          world.shell.sweep();
          world.claim(1_000);
        }
        world.now += 400_000;
        world.shell.sweep();
        expect(world.shell.jobs("open", 1_000)).toEqual([]);
        world.store.close();
      }),
      { numRuns: 60 },
    );
  });

  it("[T-16.3] one job is handed out at most so often, whether or not the alarm comes in time", () => {
    const few = fc.constantFrom<Move>(
      { do: "claim", ttl_ms: 1_000 },
      { do: "wait", ms: 400_000 },
      { do: "fail", claim: 0 },
      { do: "restart" },
    );
    let exhausted = 0;
    fc.assert(
      fc.property(fc.array(few, { minLength: 12, maxLength: 40 }), (moves) => {
        const world = new World({});
        world.play({ do: "enqueue", priority: "normal", tenant: "a", waited_for: true });
        for (const step of moves) world.play(step);
        const job = world.shell.job("job-0")?.job;
        expect(world.claims.length).toBe(job?.deliveries);
        expect(world.claims.length).toBeLessThanOrEqual(MAX_DELIVERIES);
        if (world.claims.length === MAX_DELIVERIES) exhausted += 1;
        // Whoever held it last is waited for, and then the alarm makes a dead letter of it.
        if (job?.status === "open" && job.deliveries === MAX_DELIVERIES) expect(world.store.alarmAt()).not.toBeNull();
        world.store.close();
      }),
      { numRuns: 100 },
    );
    expect(exhausted).toBeGreaterThan(0);
  });

  it("[T-17] a restart changes neither jobs nor claims", () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 40 }), (moves) => {
        const world = new World({});
        for (const step of moves) world.play(step);
        const before = world.shell.jobs(null, 1_000);
        const summary = world.put.length === 0 ? null : world.shell.view().summary;
        world.play({ do: "restart" });
        expect(world.shell.jobs(null, 1_000)).toEqual(before);
        if (summary !== null) expect(world.shell.view().summary).toEqual(summary);
        world.store.close();
      }),
      { numRuns: 60 },
    );
  });
});

const candidate = fc.record({
  job_id: fc.uuid(),
  seq: fc.nat(1_000),
  priority: fc.constantFrom<JobPriority>("high", "normal", "low"),
  enqueued_at_ms: fc.nat(2_000_000),
  labels: fc.record({
    tenant: fc.constantFrom("a", "b", "constructor", "__proto__", null),
    binding_key: fc.constantFrom("x", null),
    trigger_id: fc.constant(null),
  }),
});

describe("choosing a job", () => {
  it("[T-17] fifo takes the lowest rank, then the oldest, then the first", () => {
    fc.assert(
      fc.property(fc.array(candidate, { minLength: 1, maxLength: 20 }), (ready) => {
        const now = 2_000_000;
        const { job } = pickJob(DEFAULT_POLICY, NEW_SCHEDULER, { ready, in_flight: new Map(), now });
        const order = (one: (typeof ready)[number]) => [effectiveRank(one, now), one.enqueued_at_ms, one.seq];
        const least = ready.map(order).toSorted((a, b) => {
          const at = a.findIndex((part, index) => part !== b[index]);
          return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
        })[0];
        expect(job === null ? null : order(job as (typeof ready)[number])).toEqual(least);
      }),
    );
  });

  it("[T-17] sharing serves somebody whenever a key is below its bound, and nobody above it", () => {
    fc.assert(
      fc.property(fc.array(candidate, { maxLength: 20 }), fc.nat(2), fc.nat(2), (ready, a, b) => {
        const policy: QueuePolicy = { ...DEFAULT_POLICY, strategy: "drr", max_concurrent_per_key: 1 };
        const in_flight = new Map([
          ["a", a],
          ["b", b],
        ]);
        const { job, key } = pickJob(policy, NEW_SCHEDULER, { ready, in_flight, now: 2_000_000 });
        const servable = ready.some(({ labels }) => (in_flight.get(labels.tenant ?? "_no_tenant") ?? 0) < 1);
        expect(job !== null).toBe(servable);
        if (key !== null) expect(in_flight.get(key) ?? 0).toBe(0);
      }),
    );
  });
});
