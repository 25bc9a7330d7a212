import type { DeliveryBinding } from "../../durable-objects/shell/trigger-owner.ts";
import { secretReferences, secretVariable, type StoredDefinition } from "../schema/trigger-definition.ts";
import type { Bindings } from "./call.ts";
import { triggerObject } from "./trigger-object.ts";
import { openHeld, type OpenSecret } from "./trigger-secrets.ts";

/** A trigger as the address of its hook names it. */
export interface HookTarget {
  readonly tenant: string;
  readonly trigger_id: string;
}

/** A binding with the secrets that verify deliveries now, and whether it was just read. */
export interface KnownBinding extends Omit<DeliveryBinding, "secrets"> {
  /** The current one first; empty for a trigger without secrets, and where `secret_problem` is given. */
  readonly secrets: readonly string[];
  /** Why no delivery can be verified although the trigger has a secret; then none may be taken in. */
  readonly secret_problem: string | null;
  readonly is_fresh: boolean;
}

/** How long opened secrets stay in memory: well below the minute of spec/triggers 26.2. */
const KEPT_MS = 5_000;
const MAX_KEPT = 1_000;

interface Kept {
  readonly binding: Omit<DeliveryBinding, "secrets">;
  readonly opened: readonly OpenSecret[];
  /** Why the trigger's own secrets cannot be used. */
  readonly problem: string | null;
  readonly until: number;
}

// Of this isolate. It saves a call for each delivery and decides nothing: the trigger accepts only what was verified
// under its current version and secrets, and a delivery is refused only under a binding that was just read.
const kept = new Map<string, Kept>();

/** The deployment's secret of one reference; null when it is not configured. */
const variableOf = (env: Bindings, reference: string): string | null => {
  const secret = (env as unknown as Readonly<Record<string, unknown>>)[secretVariable(reference)];
  return typeof secret === "string" && secret !== "" ? secret : null;
};

/** The first reference of a definition that names nothing configured; null when there is none. */
export const missingReference = (
  env: Bindings,
  definition: Pick<StoredDefinition, "secret_ref" | "secret_refs">,
): string | null => secretReferences(definition).find((reference) => variableOf(env, reference) === null) ?? null;

/** The deployment's secrets that a definition names, without those that are not configured. */
export const referredSecrets = (
  env: Bindings,
  definition: Pick<StoredDefinition, "secret_ref" | "secret_refs">,
): readonly string[] => secretReferences(definition).flatMap((reference) => variableOf(env, reference) ?? []);

const known = (env: Bindings, { binding, opened, problem }: Kept, isFresh: boolean): KnownBinding => {
  const now = Date.now();
  const references = secretReferences(binding.definition);
  const own = opened.filter(({ expires_at_ms: at }) => at === null || at > now).map(({ text }) => text);
  const secrets = references.length > 0 ? referredSecrets(env, binding.definition) : own;
  const missing = references.map(secretVariable).join(" or ");
  const none = references.length > 0 ? `the secret of the trigger is not configured: set ${missing}` : problem;
  return { ...binding, secrets, secret_problem: secrets.length > 0 ? null : none, is_fresh: isFresh };
};

/** The binding to verify a delivery under, a few seconds old unless a fresh one is asked for; null for no such trigger. */
export const bindingFor = async (env: Bindings, target: HookTarget, isFresh: boolean): Promise<KnownBinding | null> => {
  const { tenant, trigger_id: triggerId } = target;
  const name = `${tenant}/${triggerId}`;
  const now = Date.now();
  const found = kept.get(name);
  if (!isFresh && found !== undefined && found.until > now) return known(env, found, false);
  kept.delete(name);
  const read = await triggerObject(env, tenant, triggerId).binding();
  if (read === null) return null;
  const { secrets: held, ...binding } = read;
  const opened = binding.has_secret ? await openHeld(env, target, held) : null;
  const problem = opened === null || opened.ok ? null : opened.error;
  const entry = { binding, opened: opened?.ok === true ? opened.value : [], problem, until: now + KEPT_MS };
  if (kept.size >= MAX_KEPT) kept.clear();
  kept.set(name, entry);
  return known(env, entry, true);
};
