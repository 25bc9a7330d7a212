import * as z from "zod";
import { driveFromMessage } from "../driver/start.ts";
import type { Consumer } from "./consumer.ts";
import { report, textOf } from "./report.ts";

const driveMessage = z.object({
  v: z.literal(1),
  tenant: z.string().min(1),
  run_id: z.string().min(1),
  attempt_token: z.string().exactOptional(),
});

/**
 * Drives the runs a batch names. A message is acknowledged before its run is driven: from then on the run's lease and
 * alarm look after it, and a long stage never blocks the queue.
 */
export const driveRuns: Consumer = (batch, env, ctx) => {
  for (const message of batch.messages) {
    message.ack();
    const decoded = driveMessage.safeParse(message.body);
    if (!decoded.success) {
      report("not a drive message", { message_id: message.id });
      continue;
    }
    const { run_id: runId } = decoded.data;
    ctx.waitUntil(
      driveFromMessage(env, decoded.data).catch((error: unknown) => {
        report("a driver stopped", { run_id: runId, error: textOf(error) });
      }),
    );
  }
};
