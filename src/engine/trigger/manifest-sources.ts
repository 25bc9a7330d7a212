import { isObject, type Json, type JsonObject } from "../../lib/json.ts";

/** One trigger of a manifest, after its sources were spread out. */
export interface ManifestTable {
  readonly id: string;
  /** The table it comes from, from 0. */
  readonly table: number;
  /** The source within the table, from 0; null for a table without sources. */
  readonly source: number | null;
  readonly definition: JsonObject;
}

/** A table that has not the shape of a trigger. */
export interface TableProblem {
  readonly table: number;
  readonly source: number | null;
  readonly id: string;
  readonly message: string;
}

/** What spreading a manifest's tables gives; with problems, nothing of it may be put. */
export interface SpreadManifest {
  readonly triggers: readonly ManifestTable[];
  readonly problems: readonly TableProblem[];
}

/** Only from the source. */
const SOURCE_ONLY = ["kind", "provider", "match"] as const;

/** The source's, or else the parent's, as a whole. */
const EITHER: ReadonlySet<string> = new Set(
  (
    "dedupe_key dedupe retry priority budget concurrency throttle rate_limit debounce singleton batch window filter " +
    "secret secret_ref"
  ).split(" "),
);

/** Only from the parent. */
const PARENT_ONLY: ReadonlySet<string> = new Set("when when_budget handler autonomy_tier tier state".split(" "));

const SECRET_KEYS = ["secret", "secret_ref"] as const;

const given = (table: JsonObject, key: string): Json | undefined => table[key] ?? undefined;

const sourcesOf = (table: JsonObject): readonly Json[] => {
  const sources = given(table, "sources");
  return Array.isArray(sources) ? sources : [];
};

const withoutKeys = (table: JsonObject, keys: readonly string[]): JsonObject =>
  Object.fromEntries(Object.entries(table).filter(([key]) => !keys.includes(key)));

/** What a source inherits: all keys but those that say what it listens to (spec/triggers 5.6). */
const inherited = (parent: JsonObject, source: JsonObject): JsonObject => {
  // A secret of the source takes the place of the parent's, also where one is named and the other is written out.
  const ownsSecret = SECRET_KEYS.some((key) => given(source, key) !== undefined);
  return withoutKeys(parent, ["id", "sources", ...SOURCE_ONLY, ...(ownsSecret ? SECRET_KEYS : [])]);
};

const mergedWith = (parent: JsonObject, source: JsonObject): JsonObject => {
  const merged: Record<string, Json> = { ...inherited(parent, source) };
  for (const [key, value] of Object.entries(source)) {
    if (key === "id" || PARENT_ONLY.has(key)) continue;
    const above = merged[key];
    // `secrets` and the keys of a kind are maps that are merged, the source's entries winning.
    const isMerged = !EITHER.has(key) && isObject(above) && isObject(value);
    merged[key] = isMerged ? { ...above, ...value } : value;
  }
  return merged;
};

const sourceLabel = (source: JsonObject, index: number): string => {
  const id = given(source, "id");
  return typeof id === "string" && id.trim() !== "" ? id : `source-${index + 1}`;
};

const sourceProblem = (source: JsonObject, label: string): string | null => {
  if (given(source, "provider") === undefined) return "trigger table missing provider";
  return given(source, "match") === undefined ? `trigger source '${label}' missing match` : null;
};

const tableProblem = (table: JsonObject): string | null => {
  if (given(table, "provider") !== undefined) return null;
  return given(table, "kind") === undefined
    ? "trigger table must set kind/provider or declare one or more sources"
    : "trigger table missing provider";
};

/**
 * Makes each source of a table a trigger of its own, `<trigger id>.<source id>` or `<trigger id>.source-<n>`; a table
 * without sources is one trigger (spec/triggers 5.6, 5.7 step 1).
 */
export const spreadManifest = (
  tables: readonly { readonly id: string; readonly definition: JsonObject }[],
): SpreadManifest => {
  const triggers: ManifestTable[] = [];
  const problems: TableProblem[] = [];
  for (const [table, { id, definition }] of tables.entries()) {
    const sources = sourcesOf(definition);
    if (sources.length === 0) {
      const message = tableProblem(definition);
      if (message !== null) problems.push({ table, source: null, id, message });
      triggers.push({ id, table, source: null, definition: withoutKeys(definition, ["id", "sources"]) });
      continue;
    }
    for (const [index, each] of sources.entries()) {
      const source = isObject(each) ? each : {};
      const label = sourceLabel(source, index);
      const message = isObject(each) ? sourceProblem(source, label) : `trigger source '${label}' must be an object`;
      const name = `${id}.${label}`;
      if (message !== null) problems.push({ table, source: index, id: name, message });
      triggers.push({ id: name, table, source: index, definition: mergedWith(definition, source) });
    }
  }
  return { triggers, problems };
};

/** What precedes every message about a trigger of a manifest (spec/triggers 5.7). */
export const tablePrefix = ({ table, id }: Pick<ManifestTable, "table" | "id">): string =>
  `[[triggers]] table #${table + 1} (id = ${id}): `;
