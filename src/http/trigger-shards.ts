import type { Delivery, EventAnswer } from "../../durable-objects/trigger.ts";
import type { Answer } from "../engine/machine.ts";
import { dedupeKeyOf } from "../engine/trigger/predicate/expressions.ts";
import { sha256Hex } from "../lib/stable-uuid.ts";
import type { StoredDefinition } from "../schema/trigger-definition.ts";
import type { Bindings } from "./call.ts";
import { triggerObject } from "./trigger-object.ts";

type Sharded = Pick<StoredDefinition, "shards" | "dedupe_key">;

/** Which of its objects takes an event of a trigger: always the same one for a dedupe key; null where there is only one. */
export const shardFor = (definition: Sharded, event: Delivery["event"]): number | null => {
  const { shards = 1 } = definition;
  if (shards === 1) return null;
  const { key } = dedupeKeyOf(definition.dedupe_key, event);
  return Number.parseInt(sha256Hex(key).slice(0, 8), 16) % shards;
};

interface Holder {
  readonly tenant: string;
  readonly trigger_id: string;
}

/** Brings a shard up to date with its trigger. */
const bringUpToDate = async (
  env: Bindings,
  { tenant, trigger_id: triggerId }: Holder,
  shard: number,
): Promise<void> => {
  const copy = await triggerObject(env, tenant, triggerId).copyFor(shard, tenant);
  if (copy !== null) await triggerObject(env, tenant, triggerId, shard).adopt(copy);
};

/** Brings every shard of a trigger up to date: a paused trigger is paused everywhere once this has ended. */
export const tellShards = async (env: Bindings, holder: Holder, { shards = 1 }: Sharded): Promise<void> => {
  if (shards === 1) return;
  await Promise.all(Array.from({ length: shards }, (_, shard) => bringUpToDate(env, holder, shard)));
};

/** Has the right object of a trigger take in an event. */
export const acceptEvent = async (
  env: Bindings,
  holder: Holder & { readonly definition: Sharded },
  delivery: Omit<Delivery, "tenant">,
): Promise<Answer<EventAnswer> | "stale"> => {
  const { tenant, trigger_id: triggerId, definition } = holder;
  const shard = shardFor(definition, delivery.event);
  const of = { tenant, ...delivery };
  if (shard === null) return triggerObject(env, tenant, triggerId).accept(of);
  const answer = await triggerObject(env, tenant, triggerId, shard).acceptInShard(of);
  if (answer !== "behind") return answer;
  await bringUpToDate(env, holder, shard);
  const again = await triggerObject(env, tenant, triggerId, shard).acceptInShard(of);
  return again === "behind" ? "stale" : again;
};
