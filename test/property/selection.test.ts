import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  compactOversized,
  dropDuplicates,
  dropStaleEvidence,
  selectAdaptive,
} from "../../src/engine/artifact/adaptive.ts";
import { normalizeArtifact } from "../../src/engine/artifact/normalize.ts";
import { freshnessRank, type SelectionPolicy, selectArtifacts } from "../../src/engine/artifact/select.ts";
import type { ArtifactRecord } from "../../src/schema/artifact.ts";

const context = { now: 0, nextId: (prefix: string) => `${prefix}_x` };

const input = fc.record({
  kind: fc.constantFrom("plan", "summary"),
  text: fc.option(fc.constantFrom("", "one", "two", "x".repeat(9_000), "y".repeat(40_000))),
  freshness: fc.option(fc.constantFrom("fresh", "live", "recent", "stale", "other")),
  priority: fc.option(fc.integer({ min: 0, max: 2 })),
  metadata: fc.constantFrom(
    {},
    { changed_paths: ["p", " q "] },
    { changed_paths: [" ", 7] },
    { evidence_paths: ["p "] },
    { evidence_paths: ["q", "r"] },
    { evidence_paths: ["r"] },
  ),
});

const artifacts = fc
  .array(input, { maxLength: 12 })
  .map((inputs) => inputs.map((fields, index) => normalizeArtifact({ ...fields, id: `a${index}` }, context)));

const NO_POLICY: SelectionPolicy = {
  max_artifacts: null,
  max_tokens: null,
  reserve_tokens: null,
  include_kinds: [],
  exclude_kinds: [],
  prioritize_kinds: [],
  pinned_ids: [],
  include_stages: [],
  prefer_recent: false,
  prefer_fresh: false,
};

const limits = fc.record({
  max_tokens: fc.nat(12_000),
  reserve_tokens: fc.option(fc.nat(3_000)),
  max_artifacts: fc.option(fc.nat(6)),
  pinned_ids: fc.uniqueArray(fc.constantFrom("a0", "a1", "a2", "a3")),
});

const tokensOf = (list: readonly ArtifactRecord[]): number =>
  list.reduce((sum, { estimated_tokens: tokens }) => sum + (tokens ?? 0), 0);

const paths = (artifact: ArtifactRecord, field: string): readonly string[] =>
  ((artifact.metadata[field] ?? []) as readonly unknown[]).flatMap((path) =>
    typeof path === "string" && path.trim() !== "" ? [path.trim()] : [],
  );

/** What a selection without preferences orders by. */
const rankOf = ({ priority, estimated_tokens: tokens }: ArtifactRecord): string => `${priority} ${tokens}`;

describe("plain selection", () => {
  it("[W-9.3] passes over, whole and only, what did not fit at its turn, pinned or not", () => {
    fc.assert(
      fc.property(artifacts, limits, (list, bounds) => {
        const policy = { ...NO_POLICY, ...bounds };
        const order = selectArtifacts(list, { ...policy, max_tokens: null, max_artifacts: null });
        const selected = selectArtifacts(list, policy);
        const budget = Math.max(0, bounds.max_tokens - (bounds.reserve_tokens ?? 0));
        const taken: ArtifactRecord[] = [];
        for (const artifact of order) {
          const fits = tokensOf([...taken, artifact]) <= budget && taken.length < (bounds.max_artifacts ?? Infinity);
          if (fits) taken.push(artifact);
          expect(selected.includes(artifact)).toBe(fits);
        }
        // The very objects that were given, in the order of the whole list: nothing was shortened or moved.
        expect(selected).toEqual(taken);
      }),
    );
  });

  it("[W-9.3] leaves artifacts of the same rank in the order in which they were given", () => {
    fc.assert(
      fc.property(artifacts, (list) => {
        const selected = selectArtifacts(list, NO_POLICY);
        for (const rank of new Set(list.map(rankOf)))
          expect(selected.filter((artifact) => rankOf(artifact) === rank)).toEqual(
            list.filter((artifact) => rankOf(artifact) === rank),
          );
      }),
    );
  });
});

describe("adaptive selection", () => {
  it("[W-9.2] of equal texts the first one given survives, and artifacts without text all do", () => {
    fc.assert(
      fc.property(artifacts, (list) => {
        const kept = dropDuplicates(list);
        for (const [index, artifact] of list.entries()) {
          const isFirst = list.findIndex(({ text }) => text === artifact.text) === index;
          expect(kept.includes(artifact)).toBe(artifact.text === null || artifact.text === "" || isFirst);
        }
      }),
    );
  });

  it("[W-9.2] drops evidence that is not fresh about a path that something fresh says was changed, and nothing else", () => {
    fc.assert(
      fc.property(artifacts, (list) => {
        const changed = new Set(
          list.filter(({ freshness }) => freshnessRank(freshness) >= 2).flatMap((each) => paths(each, "changed_paths")),
        );
        const kept = dropStaleEvidence(list);
        for (const artifact of list) {
          const isStale =
            freshnessRank(artifact.freshness) < 2 &&
            paths(artifact, "evidence_paths").some((path) => changed.has(path));
          expect(kept.includes(artifact)).toBe(!isStale);
        }
      }),
    );
  });

  it("[W-9.2] shortens only what takes more than twice its share, and then says that it takes its share", () => {
    fc.assert(
      fc.property(artifacts, fc.integer({ min: 50, max: 12_000 }), (list, maxTokens) => {
        const share = Math.min(Math.max(Math.floor(maxTokens / Math.max(list.length, 1)), 500), maxTokens);
        const sized = compactOversized(list, maxTokens);
        for (const [index, artifact] of list.entries()) {
          const isLarge = share * 4 >= 200 && (artifact.estimated_tokens ?? 0) > 2 * share;
          if (!isLarge) expect(sized[index]).toBe(artifact);
          else expect(sized[index]).toMatchObject({ id: artifact.id, estimated_tokens: share });
        }
      }),
    );
  });

  it("[W-9.2] is the plain selection of what the three steps leave", () => {
    fc.assert(
      fc.property(artifacts, limits, (list, bounds) => {
        const policy = { ...NO_POLICY, ...bounds };
        const left = compactOversized(dropDuplicates(dropStaleEvidence(list)), bounds.max_tokens);
        expect(selectAdaptive(list, policy)).toEqual(selectArtifacts(left, policy));
      }),
    );
  });
});
