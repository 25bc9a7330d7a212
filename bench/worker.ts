import { DurableObject, WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep } from "cloudflare:workers";
import { decodeGraph } from "../src/schema/graph.ts";
import { decodeRunOptions } from "../src/schema/run.ts";
import { type DrivenRun, driveRun } from "../src/driver/drive.ts";
import type { CreateRun } from "../src/engine/run/command.ts";
import { createExecutor } from "../src/executor/executor.ts";
import { functions } from "../src/functions.ts";
import { reducers } from "../src/reducers.ts";
import type { WorkflowRun } from "../durable-objects/workflow-run.ts";

export { WorkflowRun } from "../durable-objects/workflow-run.ts";

interface BenchEnv extends Env {
  readonly FLOOR: DurableObjectNamespace<Floor>;
  readonly WORKFLOW: Workflow<{ steps: number }>;
}

/** What any durable engine pays at least for a step: one call, one row. */
export class Floor extends DurableObject {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS step (seq INTEGER PRIMARY KEY, result TEXT NOT NULL)");
  }

  step(seq: number): void {
    this.ctx.storage.sql.exec("INSERT INTO step (seq, result) VALUES (?, ?)", seq, '{"status":"completed"}');
  }
}

export class BenchWorkflow extends WorkflowEntrypoint<BenchEnv, { steps: number }> {
  override async run(event: WorkflowEvent<{ steps: number }>, step: WorkflowStep): Promise<number> {
    for (let i = 0; i < event.payload.steps; i++) await step.do(`step ${i}`, async () => i);
    return event.payload.steps;
  }
}

const stage = { kind: "stage", mode: "function", function: "echo", input: null };

/** One node that loops: every step is the same work, whatever came before it. */
const loop = { id: "loop", entry: "a", nodes: { a: stage }, edges: [{ from: "a", to: "a" }] };

/** Called after each step, with its number from 1. */
type OnStep = (step: number) => void;

type Contender = (env: BenchEnv, steps: number, onStep: OnStep) => Promise<void>;

/** Decoded once, as a workflow that is defined once and run many times. */
const graph = decodeGraph(loop);

const createRun = (runId: string, steps: number): CreateRun => {
  const options = decodeRunOptions({ max_steps: steps });
  if (!graph.ok || !options.ok) throw new Error("the benchmark's workflow is not valid");
  return {
    type: "create_run",
    tenant: "bench",
    run_id: runId,
    task: "bench",
    graph: graph.value,
    artifacts: [],
    options: options.value,
    drive: "auto",
    start: true,
  };
};

/** The product as it is: its object, its driver, its executor. */
const godwit: Contender = async (env, steps, onStep) => {
  const runId = crypto.randomUUID();
  const run = (): DrivenRun & Pick<WorkflowRun, "request"> =>
    env.WORKFLOW_RUN.getByName(`bench/${runId}`) as unknown as DrivenRun & Pick<WorkflowRun, "request">;
  const answer = await run().request(createRun(runId, steps));
  if (!answer.ok || answer.reply.type !== "created" || answer.reply.advance === null) throw new Error("no run");
  let done = 0;
  const executor = createExecutor({ env: {}, fetcher: fetch, functions, reducers, now: () => Date.now() });
  const outcome = await driveRun({
    run,
    executor: {
      execute: (plan, signal) => {
        if (done > 0) onStep(done);
        done += 1;
        return executor.execute(plan, signal);
      },
    },
    deadline: Date.now() + 600_000,
    now: () => Date.now(),
    sleep: (ms) => scheduler.wait(ms),
    first: answer.reply.advance,
  });
  onStep(done);
  if (outcome.type !== "idle" || done !== steps) throw new Error(`the run stopped: ${JSON.stringify(outcome)}`);
};

const floor: Contender = async (env, steps, onStep) => {
  const object = env.FLOOR.getByName(crypto.randomUUID());
  for (let i = 1; i <= steps; i++) {
    await object.step(i);
    onStep(i);
  }
};

const workflows: Contender = async (env, steps) => {
  const instance = await env.WORKFLOW.create({ params: { steps } });
  for (;;) {
    const { status } = await instance.status();
    if (status === "complete") return;
    if (status === "errored" || status === "terminated") throw new Error(status);
    await scheduler.wait(1);
  }
};

const contenders: Readonly<Record<string, Contender>> = { godwit, floor, workflows };

const inParallel = async (runs: number, concurrency: number, run: () => Promise<void>): Promise<void> => {
  let left = runs;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await run();
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, runs) }, worker));
};

/** `/<contender>?steps=&runs=&concurrency=`: answers when all is done, with the times of the first and last hundred steps. */
export default {
  async fetch(request: Request, env: BenchEnv): Promise<Response> {
    const url = new URL(request.url);
    const contender = contenders[url.pathname.slice(1)];
    if (contender === undefined) return new Response("unknown contender", { status: 404 });
    const number = (name: string): number => Number(url.searchParams.get(name) ?? 1);
    const steps = number("steps");
    const marks = new Map<number, number>([[0, Date.now()]]);
    // The clock moves only with I/O, so it is read after a step's call has come back.
    const onStep = (step: number): void => {
      if (step === 100 || step === steps - 100 || step === steps) marks.set(step, Date.now());
    };
    await inParallel(number("runs"), number("concurrency"), () => contender(env, steps, onStep));
    const between = (from: number, to: number): number =>
      (marks.get(to) ?? Number.NaN) - (marks.get(from) ?? Number.NaN);
    return Response.json({ first_hundred_ms: between(0, 100), last_hundred_ms: between(steps - 100, steps) });
  },
};
