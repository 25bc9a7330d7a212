import { err, ok, type Result } from "../../lib/result.ts";

/** The name of a queue without spaces around it (spec/triggers 16.1). */
export const queueName = (text: string): Result<string, string> =>
  text.trim() === "" ? err("worker queue name cannot be empty") : ok(text.trim());

/** The id of whoever claims (spec/triggers 16.3). */
export const consumerId = (text: string): Result<string, string> =>
  text.trim() === "" ? err("worker queue consumer id cannot be empty") : ok(text.trim());
