import { env } from "cloudflare:workers";
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import { type DrivenRun, type DriveOutcome, driveRun } from "../../src/driver/drive.ts";
import type { CreateRun } from "../../src/engine/run/command.ts";
import type { RunObject } from "../../src/http/run-object.ts";
import { decodeGraph } from "../../src/schema/graph.ts";
import type { StagePlan } from "../../src/schema/plan.ts";
import { decodeRunOptions } from "../../src/schema/run.ts";
import { migrateDatabase } from "./http-setup.ts";

// The lists are told of every run, too.
beforeAll(migrateDatabase);

const NODES = ["a", "b", "c", "d"];

const graph = {
  id: "chain",
  entry: "a",
  nodes: Object.fromEntries(NODES.map((node) => [node, { kind: "stage", mode: "function", function: "echo" }])),
  edges: [
    { from: "a", to: "b" },
    { from: "b", to: "c" },
    { from: "c", to: "d" },
  ],
};

/** What the tests call of a run's object; the platform's own stub type is too deep for the compiler. */
type Stub = DrivenRun & Pick<RunObject, "request" | "record"> & { readonly recover: () => Promise<void> };

const platformStub = (stub: Stub): DurableObjectStub => stub as unknown as DurableObjectStub;

interface Driven {
  readonly stub: () => Stub;
  readonly executed: string[];
  readonly drive: () => Promise<DriveOutcome | "crashed">;
}

const createCommand = (runId: string): CreateRun => {
  const decoded = decodeGraph(graph);
  const options = decodeRunOptions({});
  if (!decoded.ok || !options.ok) throw new Error("the test's graph is not valid");
  const base = { tenant: "crash", run_id: runId, task: "t", artifacts: [], drive: "auto" } as const;
  return { type: "create_run", ...base, graph: decoded.value, options: options.value };
};

const driven = (): Driven & { readonly create: () => Promise<boolean> } => {
  const runId = crypto.randomUUID();
  const executed: string[] = [];
  const stub = (): Stub => env.WORKFLOW_RUN.getByName(`crash/${runId}`) as unknown as Stub;
  const execute = async (plan: StagePlan): Promise<{ status: string; text: string }> => {
    executed.push(plan.node_id);
    return { status: "completed", text: plan.node_id };
  };
  return {
    stub,
    executed,
    create: async () => {
      try {
        return (await stub().request(createCommand(runId))).ok;
      } catch {
        return false;
      }
    },
    drive: async () => {
      try {
        return await driveRun({
          run: stub,
          executor: { execute },
          deadline: Date.now() + 60_000,
          now: () => Date.now(),
          // No fault may be ridden out by waiting: each retry is to meet the object as the crash has left it.
          sleep: () => Promise.resolve(),
        });
      } catch {
        return "crashed";
      }
    },
  };
};

/** What a test reaches of an instance to crash it at a chosen point. */
interface Inside {
  store: { write: (sql: string, ...bindings: unknown[]) => number };
  request: (...args: unknown[]) => unknown;
  advance: (...args: unknown[]) => unknown;
  renew: (tokens: readonly string[]) => { readonly ok: boolean };
  env: Record<string, { send: (...args: unknown[]) => Promise<void> }>;
}

type Point = {
  readonly where: "before_commit" | "after_commit" | "before_effect" | "after_effect";
  readonly nth: number;
};

/** Arms one crash in the object's present instance; the next instance has none. */
const armCrash = (stub: Stub, { where, nth }: Point): Promise<void> =>
  runInDurableObject(platformStub(stub), (instance, state) => {
    const inside = instance as unknown as Inside;
    let seen = 0;
    const reached = (): boolean => (seen += 1) === nth;
    if (where === "before_commit") {
      const write = inside.store.write;
      inside.store.write = (sql, ...bindings) => {
        if (sql.startsWith("INSERT INTO journal") && reached()) state.abort("before commit");
        return write(sql, ...bindings);
      };
    } else if (where === "after_commit") {
      const { request, advance } = inside;
      let inAdvance = false;
      // The commit is on disk and its answer never leaves.
      const lost = async (answer: unknown): Promise<unknown> => {
        if (reached()) {
          await state.storage.sync();
          state.abort("after commit");
        }
        return answer;
      };
      // Calls from outside reach only what an instance inherits.
      Object.setPrototypeOf(instance, {
        __proto__: Object.getPrototypeOf(instance),
        request: (...args: unknown[]) => {
          const answer = request.apply(instance, args);
          return inAdvance ? answer : lost(answer);
        },
        advance: (...args: unknown[]) => {
          inAdvance = true;
          const answer = advance.apply(instance, args);
          inAdvance = false;
          return lost(answer);
        },
      });
    } else {
      const queue = inside.env["INDEX_QUEUE"] as { send: (...args: unknown[]) => Promise<void> };
      const send = queue.send.bind(queue);
      inside.env = {
        ...inside.env,
        INDEX_QUEUE: {
          send: async (...args) => {
            const hit = reached();
            if (hit && where === "before_effect") state.abort("before effect");
            await send(...args);
            if (hit) state.abort("after effect");
          },
        },
      };
    }
  });

/** Drives until the run has ended, over whatever crashes are armed. */
const driveToEnd = async (run: Driven): Promise<{ readonly crashes: number }> => {
  let crashes = 0;
  for (let attempt = 0; attempt < 10; attempt++) {
    const outcome = await run.drive();
    if (outcome !== "crashed" && outcome.type === "idle") return { crashes };
    if (outcome === "crashed") crashes += 1;
    // Every driver is known to be dead: this is what the local server says when it starts again.
    await run.stub().recover();
  }
  throw new Error("the run did not end");
};

/** The run's stages; read again when the crash hits the very reading. */
const completedNodes = async (stub: Stub, again?: () => Stub): Promise<readonly string[]> => {
  const view = await stub.record({}).catch((fault: unknown) => {
    if (again === undefined) throw fault;
    return again().record({});
  });
  return (view?.record?.stages ?? []).map((stage) => `${stage.node_id}:${stage.status}`);
};

describe("a run whose object dies", () => {
  const points: readonly Point[] = [
    ...[1, 2, 3, 4, 5].map((nth) => ({ where: "before_commit", nth }) as const),
    ...[1, 2, 3, 4, 5].map((nth) => ({ where: "after_commit", nth }) as const),
    { where: "before_effect", nth: 1 },
    { where: "after_effect", nth: 1 },
  ];

  it.each(points)("[I3] completes each node once after a crash $where $nth", async (point) => {
    const run = driven();
    expect(await run.create()).toBe(true);
    await armCrash(run.stub(), point);
    await driveToEnd(run);
    expect(await completedNodes(run.stub(), run.stub)).toEqual(NODES.map((node) => `${node}:completed`));
    // A crash repeats at most the stage that was under way, never one that was acknowledged.
    expect(run.executed.length).toBeLessThanOrEqual(NODES.length + 1);
  });

  it.each(["before_commit", "after_commit"] as const)(
    "[I5] a create that dies %s is repeated into the same run",
    async (where) => {
      const run = driven();
      await armCrash(run.stub(), { where, nth: 1 });
      expect(await run.create()).toBe(false);
      // Before the commit nothing was kept; after it the run exists and says so.
      expect(await run.create()).toBe(where === "before_commit");
      await driveToEnd(run);
      expect(await completedNodes(run.stub())).toHaveLength(NODES.length);
    },
  );

  it("[I7] goes on at once when every driver is known to be dead", async () => {
    const run = driven();
    await run.create();
    const first = await run.stub().advance({});
    expect(first).toMatchObject({ ok: true, reply: { next: { node_id: "a", attempt: 1 } } });
    await run.stub().recover();
    // The drive message that this orders reaches the product's own consumer, which ends the run.
    await expect.poll(() => completedNodes(run.stub()), { timeout: 10_000, interval: 50 }).toHaveLength(NODES.length);
    await expectLostAttempt(run.stub());
  });

  it("[I7] goes on by its alarm alone when its driver dies and nobody says so", async () => {
    const run = driven();
    await run.create();
    await run.stub().advance({});
    await expect.poll(() => completedNodes(run.stub()), { timeout: 25_000, interval: 250 }).toHaveLength(NODES.length);
    await expectLostAttempt(run.stub());
  });

  it("[I7] a driver that is alive keeps its lease over an alarm and a reset of the object, and its renewals write no row", async () => {
    const run = driven();
    await run.create();
    const first = await run.stub().advance({});
    const token = first.ok ? (first.reply.next?.attempt_token ?? "") : "";
    await runDurableObjectAlarm(platformStub(run.stub()));
    await evictDurableObject(platformStub(run.stub()));
    const written = await runInDurableObject(platformStub(run.stub()), async (instance) => {
      const inside = instance as unknown as Inside;
      const write = inside.store.write;
      let rows = 0;
      inside.store.write = (sql, ...bindings) => {
        const count = write(sql, ...bindings);
        rows += count;
        return count;
      };
      for (let beat = 0; beat < 100; beat++) expect(inside.renew([token])).toMatchObject({ reply: { lost: [] } });
      return rows;
    });
    expect(written).toBe(0);
    expect(await run.stub().advance({})).toMatchObject({ ok: true, reply: { next: null, waiting: "other_driver" } });
    expect(await run.stub().renew(["attempt_unknown"])).toMatchObject({
      ok: true,
      reply: { lost: ["attempt_unknown"] },
    });
  });
});

const expectLostAttempt = async (stub: Stub): Promise<void> => {
  const view = await stub.record({});
  expect(view?.record?.stages[0]?.attempts).toMatchObject([
    { attempt: 1, outcome: "lost" },
    { attempt: 2, status: "completed" },
  ]);
};
