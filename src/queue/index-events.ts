import type { EventAnswer } from "../../durable-objects/trigger.ts";
import type { Bindings } from "../http/call.ts";
import type { Series } from "../lib/metric-series.ts";
import { report, textOf } from "./report.ts";

/**
 * Tells the list of events about an event; never fails.
 *
 * It is sent by the stateless caller and not through the object's outbox, which would cost rows for every event: the list
 * may lag, and a message that is lost is made up for by the event's next change. What was counted meanwhile goes with it (`MetricBuffer.take`).
 */
export const indexEvent = async (
  env: Bindings,
  tenant: string,
  answer: EventAnswer,
  metrics: readonly Series[] = [],
): Promise<void> => {
  const { row, seq } = answer;
  try {
    const counted = metrics.length === 0 ? {} : { metrics };
    await env.INDEX_QUEUE.send({ v: 1, id: `${row.event_id}:${seq}`, seq, tenant, event: row, ...counted });
  } catch (error) {
    report("the list of events was not told", { event_id: row.event_id, error: textOf(error) });
  }
};
