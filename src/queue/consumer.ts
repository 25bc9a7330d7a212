import type { Bindings } from "../http/call.ts";
import { controlRuns } from "./control.ts";
import { deadLetters } from "./dead-letters.ts";
import { dispatchEvents } from "./dispatch.ts";
import { driveRuns } from "./drive.ts";
import { indexRows } from "./index-rows.ts";
import { report } from "./report.ts";
import { runTasks } from "./tasks.ts";

/** Takes a batch of one queue: acknowledges or retries each message by itself. */
export type Consumer = (batch: MessageBatch, env: Bindings, ctx: ExecutionContext) => Promise<void> | void;

/** The consumer of each queue. Messages are hints: what is to be done is always in an object's rows. */
const CONSUMERS: ReadonlyMap<string, Consumer> = new Map<string, Consumer>([
  ["godwit-drive", driveRuns],
  ["godwit-dispatch", dispatchEvents],
  ["godwit-index", indexRows],
  ["godwit-control", controlRuns],
  ["godwit-tasks", runTasks],
  ["godwit-drive-dead", deadLetters],
  ["godwit-dispatch-dead", deadLetters],
  ["godwit-index-dead", deadLetters],
  ["godwit-control-dead", deadLetters],
  ["godwit-tasks-dead", deadLetters],
]);

const UNKNOWN_QUEUE_DELAY_SECONDS = 30;

/** Takes a batch of any queue of this Worker. */
export const consume: Consumer = async (batch, env, ctx) => {
  const consumer = CONSUMERS.get(batch.queue);
  if (consumer !== undefined) return consumer(batch, env, ctx);
  // A newer version may know the queue: the messages wait for it, and end as dead letters.
  report("no consumer for a queue", { queue: batch.queue, messages: batch.messages.length });
  batch.retryAll({ delaySeconds: UNKNOWN_QUEUE_DELAY_SECONDS });
};
