import { tenantIdSchema } from "../schema/api-key.ts";
import { isTriggerPath } from "../schema/trigger-path.ts";
import type { Receipt } from "../schema/trigger.ts";
import type { Call } from "./call.ts";
import { deliverAt, unknownTrigger } from "./hook-delivery.ts";
import { triggerAt } from "./path-lookup.ts";
import type { TenantPath } from "./path-rows.ts";
import { problem } from "./problem.ts";
import type { Outcome } from "./router.ts";

const DEFAULT_TENANT = "default";

const OF_TENANT = /^(?:\/hooks)?\/tenant\/([^/]+)(\/.+)$/;
const BY_ID = /^\/triggers\/([^/]+)$/;

/** Whose path an address is (spec/triggers 24); null when it can be nobody's. */
const placeOf = (pathname: string): TenantPath | null => {
  const [, tenant = DEFAULT_TENANT, path = pathname] = OF_TENANT.exec(pathname) ?? [];
  return tenantIdSchema.safeParse(tenant).success ? { tenant, path } : null;
};

/** Delivers to the trigger that has a path of its own; null when none has it. */
const deliverToHolder = async (call: Call, place: TenantPath): Promise<Outcome<Receipt> | null> => {
  if (!isTriggerPath(place.path)) return null;
  const { tenant, path } = place;
  const first = await triggerAt(call.env, place);
  if (first === null) return null;
  const target = { tenant, trigger_id: first.trigger_id };
  const outcome = await deliverAt(call, target, path);
  if (outcome !== "absent") return outcome;
  const second = first.is_fresh ? first : await triggerAt(call.env, place, true);
  if (second === null || second.trigger_id === first.trigger_id) return unknownTrigger(call, target);
  // What was read of the body for the one trigger cannot be read again for the other.
  if (call.request.bodyUsed) return problem("unavailable", "the path goes to another trigger now; deliver again");
  const other = { tenant, trigger_id: second.trigger_id };
  const again = await deliverAt(call, other, path);
  return again === "absent" ? unknownTrigger(call, other) : again;
};

/**
 * Delivers by the path of a request that is no other address: the path that a trigger has in its definition, or
 * `/triggers/<id>` of one that has none, below `/tenant/<id>` or `/hooks/tenant/<id>` for other tenants (spec/triggers
 * 20.1, 24). Null when it is no trigger's.
 */
export const deliverByPath = async (call: Call): Promise<Outcome<Receipt> | null> => {
  const place = placeOf(new URL(call.request.url).pathname);
  if (place === null) return null;
  const triggerId = BY_ID.exec(place.path)?.[1];
  if (triggerId === undefined) return deliverToHolder(call, place);
  const target = { tenant: place.tenant, trigger_id: triggerId };
  const outcome = await deliverAt(call, target, place.path);
  return outcome === "absent" ? unknownTrigger(call, target) : outcome;
};
