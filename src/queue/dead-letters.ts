import type { Consumer } from "./consumer.ts";
import { report } from "./report.ts";

/** How much of a message the log shows. */
const EXCERPT = 2_000;

/**
 * Logs messages that were tried too often and lets them go. Nothing is lost with them: they are hints, and the alarm of
 * the object that sent one sends the next.
 */
export const deadLetters: Consumer = (batch) => {
  for (const message of batch.messages) {
    report("dead letter", {
      queue: batch.queue,
      message_id: message.id,
      sent_at: message.timestamp.toISOString(),
      body: (JSON.stringify(message.body) ?? "null").slice(0, EXCERPT),
    });
    message.ack();
  }
};
