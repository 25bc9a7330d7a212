import type { EventRow, EventView } from "../schema/trigger-event.ts";
import type { Call } from "./call.ts";
import { triggerObject } from "./trigger-object.ts";

/** Objects that are asked at the same time. */
const CONCURRENCY = 6;

/** Does something with each item, a few at a time; the results are in the order of the items. */
export const mapFew = async <Item, Result>(
  items: readonly Item[],
  work: (item: Item, index: number) => Promise<Result>,
): Promise<readonly Result[]> => {
  const results: Result[] = [];
  const waiting = items.entries();
  const next = async (): Promise<void> => {
    for (const [index, item] of waiting) results[index] = await work(item, index);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, next));
  return results;
};

/** Events as their triggers have them now; null for one that its trigger does not know any more. */
export const eventViews = (
  { env, tenant }: Pick<Call, "env" | "tenant">,
  rows: readonly Pick<EventRow, "trigger_id" | "dedupe_key" | "event_id" | "shard">[],
): Promise<readonly (EventView | null)[]> =>
  mapFew(rows, (row) => triggerObject(env, tenant, row.trigger_id, row.shard).event(row.dedupe_key, row.event_id));
