const LEVEL_RANKS: ReadonlyMap<string, number> = new Map([
  ["none", 0],
  ["read_only", 1],
  ["workspace_write", 2],
  ["process_exec", 3],
  ["network", 4],
]);

/** The rank of a side-effect level; unknown levels come last (spec/workflow 10.2). */
export const sideEffectRank = (level: string): number => LEVEL_RANKS.get(level) ?? LEVEL_RANKS.size;

/** True when a policy with this ceiling lets something of this level happen; no ceiling lets everything (spec/workflow 10.6). */
export const allowsLevel = (ceiling: string | null, level: string): boolean =>
  ceiling === null || sideEffectRank(level) <= sideEffectRank(ceiling);
