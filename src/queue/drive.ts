import * as z from "zod";
import { type DriveMessage, driveFromMessage } from "../driver/start.ts";
import { finishRun } from "./finish.ts";
import type { Consumer } from "./consumer.ts";
import { report, textOf } from "./report.ts";

const driveMessage = z.object({
  v: z.literal(1),
  tenant: z.string().min(1),
  run_id: z.string().min(1),
  attempt_token: z.string().exactOptional(),
  finish: z.string().exactOptional(),
});

const drive = async (env: Env, message: DriveMessage): Promise<void> => {
  try {
    const { tenant, run_id, finish } = message;
    if (finish === undefined) await driveFromMessage(env, message);
    else await finishRun(env, { tenant, run_id, attempt_token: finish });
  } catch (error) {
    // The run's lease and alarm bring another driver; the message itself has nothing more to give.
    report("a driver stopped", { run_id: message.run_id, error: textOf(error) });
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
