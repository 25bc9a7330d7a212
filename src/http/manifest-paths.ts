import type { ManifestPlan } from "../engine/trigger/manifest.ts";
import type { TriggerDefinition } from "../schema/trigger-definition.ts";
import { routeTaken } from "../schema/trigger-path.ts";
import type { Call } from "./call.ts";
import { type ComingPaths, takenPaths } from "./path-claim.ts";
import type { Issue } from "./problem.ts";

/** A trigger of a manifest, with where it stands there and what precedes every message about it. */
export interface ManifestTrigger {
  readonly id: string;
  readonly definition: TriggerDefinition;
  readonly path: string;
  readonly prefix: string;
}

/** The path that each trigger of a manifest has after it, null for none and for those that it removes. */
export const comingPaths = (triggers: readonly ManifestTrigger[], { removed }: ManifestPlan): ComingPaths =>
  new Map<string, string | null>([
    ...removed.map((id) => [id, null] as const),
    ...triggers.map(({ id, definition: { path = null } }) => [id, path] as const),
  ]);

/** Every path of a manifest that two of its triggers want, or that one wants which another trigger has (spec/triggers 20.1). */
export const pathIssues = async (
  call: Call,
  triggers: readonly ManifestTrigger[],
  coming: ComingPaths,
): Promise<readonly Issue[]> => {
  const wishes = triggers.flatMap((trigger) => {
    const { path } = trigger.definition;
    return path === undefined ? [] : [{ trigger_id: trigger.id, path, trigger }];
  });
  const seen = await takenPaths(call, wishes, coming);
  const issues: Issue[] = [];
  for (const { path, trigger } of wishes) {
    if (seen.has(path)) issues.push({ path: `${trigger.path}.path`, message: `${trigger.prefix}${routeTaken(path)}` });
    seen.add(path);
  }
  return issues;
};
