import type { DeliveryBinding } from "../../durable-objects/trigger.ts";
import { secretVariable, type StoredDefinition } from "../schema/trigger.ts";
import type { Bindings } from "./call.ts";
import { triggerObject } from "./trigger-object.ts";

/** A trigger as the address of its hook names it. */
export interface HookTarget {
  readonly tenant: string;
  readonly trigger_id: string;
}

/** A binding, and whether it was just read. */
export interface KnownBinding extends DeliveryBinding {
  readonly is_fresh: boolean;
}

const KEPT_MS = 5_000;
const MAX_KEPT = 1_000;

interface Kept {
  readonly binding: DeliveryBinding;
  readonly until: number;
}

// Of this isolate. It saves a call for each delivery and decides nothing: the trigger accepts only what was verified
// under its current version, and a delivery is refused only under a binding that was just read.
const kept = new Map<string, Kept>();

/** The binding to verify a delivery under, a few seconds old unless a fresh one is asked for; null for no such trigger. */
export const bindingFor = async (env: Bindings, target: HookTarget, isFresh: boolean): Promise<KnownBinding | null> => {
  const { tenant, trigger_id: triggerId } = target;
  const name = `${tenant}/${triggerId}`;
  const now = Date.now();
  const known = kept.get(name);
  if (!isFresh && known !== undefined && known.until > now) return { ...known.binding, is_fresh: false };
  kept.delete(name);
  const binding = await triggerObject(env, tenant, triggerId).binding();
  if (binding === null) return null;
  if (kept.size >= MAX_KEPT) kept.clear();
  kept.set(name, { binding, until: now + KEPT_MS });
  return { ...binding, is_fresh: true };
};

/** The deployment's secret that a definition refers to; null when it is not configured. */
export const referredSecret = (env: Bindings, definition: Pick<StoredDefinition, "secret_ref">): string | null => {
  if (definition.secret_ref === undefined) return null;
  const secret = (env as unknown as Readonly<Record<string, unknown>>)[secretVariable(definition.secret_ref)];
  return typeof secret === "string" && secret !== "" ? secret : null;
};
