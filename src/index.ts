import { createApp } from "./http/app.ts";
import { sweepHourly } from "./cron/retention.ts";
import { watch } from "./cron/watchdog.ts";
import { consume } from "./queue/consumer.ts";

export { AgentWorker } from "../durable-objects/agent-worker.ts";
export { Circuit } from "../durable-objects/circuit.ts";
export { Mailbox } from "../durable-objects/mailbox.ts";
export { TaskPool } from "../durable-objects/task-pool.ts";
export { Trigger } from "../durable-objects/trigger.ts";
export { WorkflowRun } from "../durable-objects/workflow-run.ts";
export { WorkQueue } from "../durable-objects/work-queue.ts";

const app = createApp();

export default {
  fetch: (request, env, ctx) => app.fetch(request, env, ctx),
  queue: (batch, env, ctx) => consume(batch, env, ctx),
  scheduled: async (controller, env) => {
    await Promise.all([watch, sweepHourly].map((task) => task(env, controller.scheduledTime)));
  },
} satisfies ExportedHandler<Env>;
