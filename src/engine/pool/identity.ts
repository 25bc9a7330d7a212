import { sha256Hex, stableUuid } from "../../lib/stable-uuid.ts";
import type { Context } from "../machine.ts";
import type { PoolConfig } from "./state.ts";

// Names and ids of pools and their tasks (spec/workers 26.1, 26.2).

/** What leads to a pool's object. */
export type PoolAddress = Pick<PoolConfig, "scope" | "scope_id" | "name">;

const ID_DIGITS = 32;

/**
 * The id of a pool: a fresh one in the scope of a session, in every other scope one that follows from scope, scope id and
 * name (spec/workers 26.1). The hash is SHA-256 in place of BLAKE3.
 */
export const poolId = ({ scope, scope_id, name }: PoolAddress, nextId: Context["nextId"]): string => {
  if (scope === "session") return nextId("pool");
  return `pool_${scope}_${sha256Hex([scope, scope_id ?? "", name].join("\0")).slice(0, ID_DIGITS)}`;
};

/** The id of a task: a fresh one, or one that follows from what makes its submit safe to repeat. */
export const taskId = (pool: string, safeBy: string | null, nextId: Context["nextId"]): string =>
  `${pool}_task_${safeBy === null ? nextId("") : stableUuid([pool, safeBy].join("\0"))}`;

/** A part of an object's name; a hyphen alone stands for no scope id. */
const part = (text: string | null): string => (text === "-" ? "%2D" : encodeURIComponent(text ?? "-"));

/** The name of a pool's object: `{tenant}/{scope}/{scope_id or -}/{name}`. */
export const poolObjectName = (tenant: string, { scope, scope_id, name }: PoolAddress): string =>
  `${tenant}/${scope}/${part(scope_id)}/${part(name)}`;
