import { describe, expect, it } from "vitest";
import { drainOutbox } from "../../durable-objects/shell/drain.ts";
import { QueueShell } from "../../durable-objects/shell/queue-shell.ts";
import { sqliteStore } from "../../durable-objects/storage/sqlite-store.ts";
import type { RunEffect } from "../../src/engine/run/command.ts";
import type { FinishJob } from "../../src/engine/work-queue/job.ts";
import { DEFAULT_POLICY } from "../../src/engine/work-queue/policy.ts";
import { Random } from "../support/random.ts";
import { accepted, counting, createRun, runFixture, type RunFixture, step } from "../support/run-fixture.ts";
import { recordOf } from "../support/run-steps.ts";

const SEEDS = Number(process.env["SIM_SEEDS"] ?? 60);
const TTL_MS = 10_000;
const RUNS = 4;
const RUNNERS = 3;
const TURNS = 250;

/** A message on its way was lost: whoever sent it from its outbox sends it again. */
class Lost extends Error {}

const ignoreLost = (error: unknown): void => {
  if (!(error instanceof Lost)) throw error;
};

interface Runner {
  readonly id: string;
  /** The claim it works under; null while it has none, or has died with it. */
  claim: { readonly job_id: string; readonly claim_id: string; readonly expires_at_ms: number } | null;
}

/** Runs whose commands go to a queue, and runners that claim, are slow, die, and hear of nothing. */
class World {
  readonly random: Random;
  readonly clock = counting();
  readonly runs: readonly RunFixture[];
  readonly runners: readonly Runner[] = Array.from({ length: RUNNERS }, (_, at) => ({
    id: `runner-${at}`,
    claim: null,
  }));
  readonly #store = sqliteStore();
  queue: QueueShell;
  /** How often each command was executed to its end. */
  readonly executed = new Map<string, number>();
  deaths = 0;
  isCalm = false;

  constructor(seed: number) {
    this.random = Random.named(seed, "runners");
    this.queue = this.#load();
    this.runs = Array.from({ length: RUNS }, (_, at) => {
      const run = runFixture(sqliteStore(), this.clock);
      const node = { kind: "verify", verify: { command: `check ${at}` } };
      const graph = { entry: "v", nodes: { v: node }, edges: [] };
      accepted(run.shell, createRun(graph, { run_id: `run-${at}`, options: { command_queue: "q" } }));
      step(run.shell);
      return run;
    });
  }

  #load(): QueueShell {
    const policy = { ...DEFAULT_POLICY, max_deliveries: 1_000 };
    return new QueueShell({ store: this.#store, context: () => this.clock, policy, objectId: "queue" });
  }

  #fault(probability: number): boolean {
    return !this.isCalm && this.random.chance(probability);
  }

  /** The outboxes send what is due; a message may be lost before or behind its effect. */
  async deliver(): Promise<void> {
    const now = (): number => this.clock.now;
    for (const run of this.runs)
      await drainOutbox<RunEffect>(
        run.store,
        async (effect) => {
          if (effect.type !== "enqueue_job") return;
          if (this.#fault(0.3)) throw new Lost();
          expect(this.queue.enqueue(effect.job).ok).toBe(true);
          if (this.#fault(0.3)) throw new Lost();
        },
        now,
        ignoreLost,
      );
    await drainOutbox<FinishJob>(
      this.#store,
      async ({ target, result }) => {
        if (this.#fault(0.3)) throw new Lost();
        const run = this.runs.find(({ shell }) => shell.state?.run_id === target.run_id);
        const { node_id, attempt_token } = target;
        run?.shell.execute({ type: "complete_stage", node_id, attempt_token, result });
        if (this.#fault(0.3)) throw new Lost();
      },
      now,
      ignoreLost,
    );
  }

  #claim(runner: Runner): void {
    const answer = this.queue.claim({ consumer_id: runner.id, ttl_ms: TTL_MS });
    const claim = answer.ok ? answer.reply?.job.claim : null;
    if (!answer.ok || answer.reply === null || claim == null) return;
    const { job_id } = answer.reply.job;
    for (const { claim: held } of this.runners)
      expect(held?.job_id === job_id && held.expires_at_ms > this.clock.now).toBe(false);
    runner.claim = { job_id, claim_id: claim.claim_id, expires_at_ms: claim.expires_at_ms };
  }

  #finish(runner: Runner): void {
    const { claim } = runner;
    if (claim === null) return;
    this.executed.set(claim.job_id, (this.executed.get(claim.job_id) ?? 0) + 1);
    const result = { stdout: runner.id, stderr: "", exit_status: 0, success: true };
    const ack = { type: "ack", claim_id: claim.claim_id, result } as const;
    this.queue.tell(claim.job_id, ack);
    // The answer was lost: it says so again.
    if (this.#fault(0.3)) this.queue.tell(claim.job_id, ack);
    runner.claim = null;
  }

  #act(runner: Runner): void {
    if (runner.claim === null) this.#claim(runner);
    else if (this.#fault(0.2)) {
      this.deaths += 1;
      runner.claim = null;
    } else if (this.#fault(0.3)) {
      const { job_id, claim_id } = runner.claim;
      const renewed = this.queue.tell(job_id, { type: "renew", claim_id, ttl_ms: TTL_MS });
      const claim = renewed.ok ? renewed.reply.job.claim : null;
      runner.claim = claim == null ? null : { job_id, claim_id, expires_at_ms: claim.expires_at_ms };
    } else if (!this.#fault(0.4)) this.#finish(runner);
  }

  async turn(): Promise<void> {
    const runner = this.runners[Math.floor(this.random.next() * RUNNERS)];
    if (runner !== undefined) this.#act(runner);
    if (this.#fault(0.1)) this.queue = this.#load();
    this.clock.now += Math.floor(this.random.next() * (this.random.chance(0.2) ? 2 * TTL_MS : 1_000));
    this.queue.sweep();
    await this.deliver();
  }
}

const simulated = async (seed: number): Promise<World> => {
  const world = new World(seed);
  for (let turn = 0; turn < TURNS; turn += 1) await world.turn();
  world.isCalm = true;
  for (let turn = 0; turn < TURNS; turn += 1) await world.turn();
  return world;
};

describe("simulated runners", () => {
  it(`[T-16] whoever dies, each command is handed out until somebody has done it, and completes its stage once (${SEEDS} seeds)`, async () => {
    let deaths = 0;
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const world = await simulated(seed);
      deaths += world.deaths;
      for (const { shell } of world.runs) {
        step(shell);
        const record = recordOf(shell);
        const { status, stages } = record;
        expect({ seed, status, stages: stages.length }).toEqual({ seed, status: "completed", stages: 1 });
        expect(stages[0]).toMatchObject({ status: "completed", branch: "passed" });
        expect(stages[0]?.visible_text).toMatch(/^runner-\d$/);
        expect(stages[0]?.attempts).toHaveLength(1);
      }
      expect(world.executed.size).toBe(RUNS);
      const { summary } = world.queue.view();
      expect({ seed, ready: summary.ready, in_flight: summary.in_flight }).toEqual({ seed, ready: 0, in_flight: 0 });
    }
    expect(deaths).toBeGreaterThan(SEEDS);
  });
});
