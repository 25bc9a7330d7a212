import { type RetryPolicy, retrySchedule } from "../../../src/engine/trigger/retry.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import type { Operations } from "../operation.ts";

interface GivenRetry {
  readonly max_attempts?: number;
  readonly policy?: RetryPolicy;
}

/** Rules of triggers (spec/triggers 5.2). */
export const ruleOperations: Operations = {
  retry_schedule: (_system, args: JsonObject) => {
    const { max_attempts = 0, policy = { kind: "svix" } } = (args["retry"] ?? {}) as unknown as GivenRetry;
    return retrySchedule({ max_attempts, policy });
  },
};
