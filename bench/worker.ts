import { DurableObject, WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep } from "cloudflare:workers";
import { decodeGraph } from "../src/schema/graph.ts";
import { decodeRunOptions } from "../src/schema/run.ts";
import { driveAfterRequest } from "../src/driver/start.ts";
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

const godwit = async (env: BenchEnv, steps: number): Promise<void> => {
  const graph = decodeGraph(loop);
  const options = decodeRunOptions({ max_steps: steps });
  if (!graph.ok || !options.ok) throw new Error("the benchmark's workflow is not valid");
  const runId = crypto.randomUUID();
  const run = env.WORKFLOW_RUN.getByName(`bench/${runId}`) as unknown as DurableObjectStub<WorkflowRun>;
  const answer = await run.request({
    type: "create_run",
    tenant: "bench",
    run_id: runId,
    task: "bench",
    graph: graph.value,
    artifacts: [],
    options: options.value,
    drive: "auto",
    start: true,
  });
  if (!answer.ok || answer.reply.type !== "created" || answer.reply.advance === null) throw new Error("no run");
  const outcome = await driveAfterRequest(env, { tenant: "bench", run_id: runId, first: answer.reply.advance as never });
  if (outcome.type !== "idle") throw new Error(`the run stopped: ${JSON.stringify(outcome)}`);
};

const floor = async (env: BenchEnv, steps: number): Promise<void> => {
  const object = env.FLOOR.getByName(crypto.randomUUID());
  for (let i = 0; i < steps; i++) await object.step(i);
};

const workflows = async (env: BenchEnv, steps: number): Promise<void> => {
  const instance = await env.WORKFLOW.create({ params: { steps } });
  for (;;) {
    const { status } = await instance.status();
    if (status === "complete") return;
    if (status === "errored" || status === "terminated") throw new Error(status);
    await scheduler.wait(1);
  }
};

const contenders: Record<string, (env: BenchEnv, steps: number) => Promise<void>> = { godwit, floor, workflows };

/** `/<contender>?steps=&runs=&concurrency=`: runs it and answers when all is done. */
export default {
  async fetch(request: Request, env: BenchEnv): Promise<Response> {
    const url = new URL(request.url);
    const contender = contenders[url.pathname.slice(1)];
    if (contender === undefined) return new Response("unknown contender", { status: 404 });
    const number = (name: string, otherwise: number): number => Number(url.searchParams.get(name) ?? otherwise);
    let left = number("runs", 1);
    const worker = async (): Promise<void> => {
      while (left-- > 0) await contender(env, number("steps", 1));
    };
    await Promise.all(Array.from({ length: Math.min(number("concurrency", 1), left) }, worker));
    return new Response("done");
  },
};
