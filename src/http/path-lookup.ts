import type { Bindings } from "./call.ts";
import { pathHolder, type TenantPath } from "./path-rows.ts";

/** How long it is believed that a path is a trigger's, or nobody's. */
const KEPT_MS = 5_000;
const MAX_KEPT = 1_000;

interface Kept {
  readonly trigger_id: string;
  readonly until: number;
}

// Of this isolate. They decide nothing about who has a path: the definition under which a delivery is taken in has to
// have it. Only that nobody has one is believed for a few seconds, so that a scan does not ask the database each time;
// what it asks for cannot push out what is known of triggers.
const held = new Map<string, Kept>();
const vacant = new Map<string, number>();

const nameOf = ({ tenant, path }: TenantPath): string => `${tenant}${path}`;

const keep = <Value>(kept: Map<string, Value>, name: string, value: Value): void => {
  if (kept.size >= MAX_KEPT) kept.clear();
  kept.set(name, value);
};

/** Which trigger has a path, a few seconds old unless a fresh answer is asked for; null when nobody has it. */
export const triggerAt = async (
  env: Pick<Bindings, "DB">,
  place: TenantPath,
  isFresh = false,
): Promise<{ readonly trigger_id: string; readonly is_fresh: boolean } | null> => {
  const name = nameOf(place);
  const now = Date.now();
  const found = held.get(name);
  if (!isFresh && found !== undefined && found.until > now) return { trigger_id: found.trigger_id, is_fresh: false };
  if (!isFresh && (vacant.get(name) ?? 0) > now) return null;
  held.delete(name);
  vacant.delete(name);
  const triggerId = await pathHolder(env.DB, place);
  if (triggerId === null) keep(vacant, name, now + KEPT_MS);
  else keep(held, name, { trigger_id: triggerId, until: now + KEPT_MS });
  return triggerId === null ? null : { trigger_id: triggerId, is_fresh: true };
};

/** Forgets what this isolate knows of the paths of a trigger that was changed, and of its path now. */
export const forgetKnownPaths = (tenant: string, triggerId: string, path: string | null): void => {
  for (const [name, kept] of held)
    if (kept.trigger_id === triggerId && name.startsWith(`${tenant}/`)) held.delete(name);
  if (path === null) return;
  held.delete(nameOf({ tenant, path }));
  vacant.delete(nameOf({ tenant, path }));
};
