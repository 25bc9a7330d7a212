import type { EventAnswer } from "../../durable-objects/trigger.ts";
import type { Bindings } from "../http/call.ts";
import type { DeadLetterChange } from "../schema/api-dead-letter.ts";
import type { Series } from "../lib/metric-series.ts";
import { report, textOf } from "./report.ts";

/** What goes with a message that is sent anyway. */
export interface Beside {
  /** What was counted meanwhile (`MetricBuffer.take`). */
  readonly metrics?: readonly Series[];
  /** The event's dead letter, where it became one. */
  readonly dead_letter?: DeadLetterChange | null;
}

const tell = async (env: Pick<Bindings, "INDEX_QUEUE">, message: unknown, facts: Readonly<Record<string, string>>) => {
  try {
    await env.INDEX_QUEUE.send(message);
  } catch (error) {
    report("the list of events was not told", { ...facts, error: textOf(error) });
  }
};

/**
 * Tells the list of events about an event; never fails.
 *
 * It is sent by the stateless caller and not through the object's outbox, which would cost rows for every event: the list
 * may lag, and a message that is lost is made up for by the event's next change.
 */
export const indexEvent = (
  env: Pick<Bindings, "INDEX_QUEUE">,
  tenant: string,
  answer: Pick<EventAnswer, "row" | "seq">,
  { metrics = [], dead_letter = null }: Beside = {},
): Promise<void> => {
  const { row, seq } = answer;
  const beside = { ...(metrics.length === 0 ? {} : { metrics }), ...(dead_letter === null ? {} : { dead_letter }) };
  const message = { v: 1, id: `${row.event_id}:${seq}`, seq, tenant, event: row, ...beside };
  return tell(env, message, { event_id: row.event_id });
};

/** Tells the list of dead letters about one, such as when somebody has decided about it; never fails. */
export const indexDeadLetter = (
  env: Pick<Bindings, "INDEX_QUEUE">,
  tenant: string,
  deadLetter: DeadLetterChange,
): Promise<void> => tell(env, { v: 1, tenant, dead_letter: deadLetter }, { dlq_id: deadLetter.dlq_id });
