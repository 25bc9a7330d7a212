import * as z from "zod";
import type { TaskOffer } from "../../durable-objects/shell/pool-shell.ts";
import { carryOutTask, performTask } from "../driver/pool-task.ts";
import type { Bindings } from "../http/call.ts";
import { poolObject } from "../http/pool-object.ts";
import type { Consumer } from "./consumer.ts";
import { report, textOf } from "./report.ts";

const taskOffer = z.object({
  v: z.literal(1),
  tenant: z.string().min(1),
  scope: z.enum(["session", "pipeline", "tenant", "org"]),
  scope_id: z.string().min(1).nullable(),
  name: z.string().min(1),
  task_id: z.string().min(1),
});

const attempted = async (env: Bindings, { tenant, task_id, ...address }: TaskOffer): Promise<void> => {
  try {
    const refused = await carryOutTask(
      {
        pool: () => poolObject(env, tenant, address),
        perform: (call, signal) => performTask(env, call, signal),
        wait: (ms) => scheduler.wait(ms),
      },
      task_id,
    );
    if (refused !== null) report("the end of a task was not taken", { task_id, code: refused.code });
  } catch (error) {
    // The claim runs out, or the offer does: the pool makes another.
    report("a task was left", { task_id, error: textOf(error) });
  }
};

/**
 * Carries out the tasks that a batch offers and acknowledges each message when its task has ended. Where queues live in
 * memory, as in the local server, the messages are acknowledged at once, so that no task holds up others.
 */
export const runTasks: Consumer = async (batch, env, ctx) => {
  const tasks: Promise<void>[] = [];
  for (const message of batch.messages) {
    const decoded = taskOffer.safeParse(message.body);
    if (decoded.success) tasks.push(attempted(env, decoded.data).then(() => message.ack()));
    else {
      report("not an offer of a task", { message_id: message.id });
      message.ack();
    }
  }
  if (env.GODWIT_QUEUES !== "memory") await Promise.all(tasks);
  else {
    batch.ackAll();
    ctx.waitUntil(Promise.all(tasks));
  }
};
