import { err, ok, type Result } from "../../lib/result.ts";

/** The name of a queue without spaces around it (spec/triggers 16.1). */
export const queueName = (text: string): Result<string, string> =>
  text.trim() === "" ? err("worker queue name cannot be empty") : ok(text.trim());

/** The id of whoever claims (spec/triggers 16.3). */
export const consumerId = (text: string): Result<string, string> =>
  text.trim() === "" ? err("worker queue consumer id cannot be empty") : ok(text.trim());

/** The topic that the responses to a queue's jobs are named by; other characters than a topic may have become `_` (spec/triggers 2.1, 16.1). */
export const responseTopic = (queue: string): string =>
  `worker.${queue.replaceAll(/[^A-Za-z0-9._-]/gu, "_")}.responses`;
