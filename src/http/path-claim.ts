import { err, ok, type Result } from "../lib/result.ts";
import { uuidIds } from "../ports/ids.ts";
import { routeTaken } from "../schema/trigger-path.ts";
import type { Call } from "./call.ts";
import { insertClaim, pathHolders, type PathClaimRow, type PathHold, returnClaim, takeClaim } from "./path-rows.ts";
import { invalid, problem, type Problem } from "./problem.ts";
import { triggerObject } from "./trigger-object.ts";

type Caller = Pick<Call, "env" | "tenant">;

/** The path that each trigger of a manifest will have, null for none: whoever has another one now gives it up. */
export type ComingPaths = ReadonlyMap<string, string | null>;

/** A trigger, and what it wants. */
export interface PathWish {
  readonly trigger_id: string;
  readonly path: string;
  readonly coming: ComingPaths;
}

/** A claimed path, and who had it before: the trigger itself, where it is its own already. */
export interface PathClaim {
  readonly row: PathClaimRow;
  readonly from: PathHold | null;
}

/** How often a path is asked for that goes from hand to hand meanwhile. */
const MAX_TRIES = 5;

/** Whether a trigger has use for its path: what a put left that did not come to its end is in nobody's way. */
const keepsPath = async (caller: Caller, { trigger_id: holder, path, coming }: PathWish): Promise<boolean> => {
  const next = coming.get(holder);
  if (next !== undefined) return next === path;
  const binding = await triggerObject(caller.env, caller.tenant, holder).binding();
  return binding !== null && binding.definition.path === path;
};

/** Claims the path of a trigger before its definition is put, so that no two triggers get the same (spec/triggers 20.1). */
export const claimPath = async (caller: Caller, wish: PathWish): Promise<Result<PathClaim, Problem>> => {
  const { trigger_id: triggerId, path } = wish;
  const { DB: db } = caller.env;
  const row = { tenant: caller.tenant, path, trigger_id: triggerId, claim: uuidIds("claim") };
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const from = await insertClaim(db, row);
    if (from === null || from.trigger_id === triggerId) return ok({ row, from });
    if (await keepsPath(caller, { ...wish, trigger_id: from.trigger_id }))
      return err(invalid([{ path: "path", message: routeTaken(path) }]));
    if (await takeClaim(db, row, from)) return ok({ row, from });
  }
  return err(pathLost(path));
};

/** Gives back the path of a put that was refused. */
export const returnPath = (caller: Caller, { row, from }: PathClaim): Promise<void> =>
  returnClaim(caller.env.DB, row, from);

/** What is answered when another trigger has got the path between the claim and the put. */
export const pathLost = (path: string): Problem =>
  problem("unavailable", `the path '${path}' was claimed by several triggers at once; put this one again`);

/** The paths of a manifest that triggers outside of it have. */
export const takenPaths = async (
  caller: Caller,
  wishes: readonly Omit<PathWish, "coming">[],
  coming: ComingPaths,
): Promise<Set<string>> => {
  const paths = wishes.map(({ path }) => path);
  const holders = await pathHolders(caller.env.DB, caller.tenant, paths);
  const taken = new Set<string>();
  for (const { trigger_id: triggerId, path } of wishes) {
    const holder = holders.get(path);
    if (holder === undefined || holder === triggerId) continue;
    if (await keepsPath(caller, { trigger_id: holder, path, coming })) taken.add(path);
  }
  return taken;
};
