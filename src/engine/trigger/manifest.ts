import { err, ok, type Result } from "../../lib/result.ts";
import type { BindingSource } from "./binding-version.ts";

/** A trigger that is live, as far as a manifest needs to know it. */
export interface ExistingTrigger {
  readonly id: string;
  readonly source: BindingSource;
  readonly fingerprint: string;
}

/** A trigger of a manifest. */
export interface IncomingTrigger {
  readonly id: string;
  readonly fingerprint: string;
  readonly source?: BindingSource;
}

/** What a manifest changes, by trigger id (spec/triggers 6.6). */
export interface ManifestPlan {
  readonly added: readonly string[];
  readonly modified: readonly string[];
  readonly removed: readonly string[];
  readonly unchanged: readonly string[];
}

/** Why a manifest cannot be put: nothing of it is. */
export interface ManifestProblem {
  /** Which of the incoming triggers, from 0. */
  readonly index: number;
  readonly message: string;
}

const problemOf = (
  trigger: IncomingTrigger,
  seen: ReadonlySet<string>,
  dynamic: ReadonlySet<string>,
): string | null => {
  const { id, source = "manifest" } = trigger;
  if (source !== "manifest") return `manifest install received non-manifest trigger '${id}'`;
  if (id.trim() === "") return "manifest trigger id cannot be empty";
  return seen.has(id) || dynamic.has(id) ? `duplicate trigger id '${id}'` : null;
};

/**
 * What putting a manifest would change: all that is live of earlier manifests and not in this one is removed; triggers
 * that were put one by one are left alone, and their ids are taken (spec/triggers 6.2).
 */
export const planManifest = (
  existing: readonly ExistingTrigger[],
  incoming: readonly IncomingTrigger[],
): Result<ManifestPlan, ManifestProblem> => {
  const owned = new Map(existing.filter((one) => one.source === "manifest").map((one) => [one.id, one.fingerprint]));
  const dynamic = new Set(existing.filter((one) => one.source === "dynamic").map((one) => one.id));
  const seen = new Set<string>();
  const plan = { added: [] as string[], modified: [] as string[], unchanged: [] as string[] };
  for (const [index, trigger] of incoming.entries()) {
    const message = problemOf(trigger, seen, dynamic);
    if (message !== null) return err({ index, message });
    const { id, fingerprint } = trigger;
    seen.add(id);
    const known = owned.get(id);
    const part = known === undefined ? "added" : known === fingerprint ? "unchanged" : "modified";
    plan[part].push(id);
  }
  return ok({ ...plan, removed: [...owned.keys()].filter((id) => !seen.has(id)) });
};

/** The one trigger of a set of manifests whose id an earlier one of them has too; null when there is none (spec/triggers 5.7). */
export const sharedIdProblem = (manifests: readonly (readonly { readonly id: string }[])[]): string | null => {
  const seen = new Set<string>();
  for (const manifest of manifests) {
    const ids = new Set(manifest.map((trigger) => trigger.id));
    for (const id of ids) if (seen.has(id)) return `duplicate trigger id '${id}' across loaded manifests`;
    for (const id of ids) seen.add(id);
  }
  return null;
};
