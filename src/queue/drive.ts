import * as z from "zod";
import { driveFromMessage } from "../driver/start.ts";
import { finishRun } from "./finish.ts";
import type { Consumer } from "./consumer.ts";
import { report, textOf } from "./report.ts";
import { deliverWorkerWebhook } from "./worker-webhook.ts";
import { startCycle } from "./start-cycle.ts";

const shared = { v: z.literal(1), tenant: z.string().min(1) };

const token = z.string().exactOptional();

/** A run that needs a driver or is to be finished, or a worker whose cycle is to be started, or whose events are to be sent. */
const driveMessage = z.union([
  z.object({ ...shared, run_id: z.string().min(1), attempt_token: token, finish: token }),
  z.object({ ...shared, worker_id: z.string().min(1), webhook: z.literal(true).exactOptional() }),
]);

const drive = async (env: Env, message: z.output<typeof driveMessage>): Promise<void> => {
  try {
    if ("worker_id" in message)
      await (message.webhook === true ? deliverWorkerWebhook(env, message) : startCycle(env, message));
    else if (message.finish === undefined) await driveFromMessage(env, message);
    else await finishRun(env, { tenant: message.tenant, run_id: message.run_id, attempt_token: message.finish });
  } catch (error) {
    // The run's lease and alarm, or the worker's alarm, bring another one; the message itself has nothing more to give.
    const about = "run_id" in message ? { run_id: message.run_id } : { worker_id: message.worker_id };
    report("a driver stopped", { ...about, error: textOf(error) });
  }
};

/**
 * Drives the runs a batch names and acknowledges each message when its driver is done.
 *
 * The platform grants this invocation 15 minutes and starts others beside it. The local server delivers one batch at a time
 * and nothing ends what it leaves behind: there the messages are acknowledged at once, so that no stage holds up other runs.
 */
export const driveRuns: Consumer = async (batch, env, ctx) => {
  const drives: Promise<void>[] = [];
  for (const message of batch.messages) {
    const decoded = driveMessage.safeParse(message.body);
    if (decoded.success) drives.push(drive(env, decoded.data).then(() => message.ack()));
    else {
      report("not a drive message", { message_id: message.id });
      message.ack();
    }
  }
  if (env.GODWIT_QUEUES !== "memory") await Promise.all(drives);
  else {
    batch.ackAll();
    ctx.waitUntil(Promise.all(drives));
  }
};
