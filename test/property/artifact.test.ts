import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { selectAdaptive } from "../../src/engine/artifact/adaptive.ts";
import { microcompact } from "../../src/engine/artifact/microcompact.ts";
import { normalizeArtifact } from "../../src/engine/artifact/normalize.ts";
import { type SelectionPolicy, selectArtifacts } from "../../src/engine/artifact/select.ts";
import type { ArtifactRecord } from "../../src/schema/artifact.ts";

const context = { now: 0, nextId: (prefix: string) => `${prefix}_x` };
const kind = fc.constantFrom("", "file", "plan", "summary", "test", "note", "verification");

const input = fc.record(
  {
    kind,
    text: fc.option(
      fc.oneof(fc.string({ unit: "grapheme", maxLength: 40 }), fc.constantFrom("same", "x".repeat(3000))),
    ),
    created_at: fc.string({ maxLength: 3 }),
    freshness: fc.option(fc.constantFrom("fresh", "live", "recent", "stale", "normal")),
    priority: fc.option(fc.integer({ min: -5, max: 100 })),
    relevance: fc.option(fc.double({ noNaN: true, min: 0, max: 1 })),
    estimated_tokens: fc.option(fc.nat(50)),
    stage: fc.option(fc.constantFrom("a", "b")),
    metadata: fc.constantFrom({}, { changed_paths: ["p"] }, { evidence_paths: ["p"] }),
  },
  { requiredKeys: [] },
);

const artifacts = fc
  .array(input, { maxLength: 25 })
  .map((inputs) => inputs.map((fields, index) => normalizeArtifact({ ...fields, id: `a${index}` }, context)));

const policy: fc.Arbitrary<SelectionPolicy> = fc.record({
  max_artifacts: fc.option(fc.nat(10)),
  max_tokens: fc.option(fc.nat(1500)),
  reserve_tokens: fc.option(fc.nat(100)),
  include_kinds: fc.uniqueArray(fc.constantFrom("plan", "summary", "note")),
  exclude_kinds: fc.uniqueArray(fc.constantFrom("plan", "note"), { maxLength: 1 }),
  prioritize_kinds: fc.uniqueArray(fc.constantFrom("plan", "note")),
  pinned_ids: fc.uniqueArray(fc.constantFrom("a0", "a1", "a9")),
  include_stages: fc.uniqueArray(fc.constantFrom("a", "b"), { maxLength: 1 }),
  prefer_recent: fc.boolean(),
  prefer_fresh: fc.boolean(),
});

const ids = (list: readonly ArtifactRecord[]): readonly string[] => list.map(({ id }) => id);

describe.each([
  ["plain", selectArtifacts],
  ["adaptive", selectAdaptive],
] as const)("%s selection", (_name, select) => {
  it("[W-9.3] never exceeds its budget or its count", () => {
    fc.assert(
      fc.property(artifacts, policy, (list, rules) => {
        const selected = select(list, rules);
        const tokens = selected.reduce((sum, { estimated_tokens: size }) => sum + (size ?? 0), 0);
        const budget =
          rules.max_tokens === null ? Infinity : Math.max(0, rules.max_tokens - (rules.reserve_tokens ?? 0));
        expect(tokens).toBeLessThanOrEqual(budget);
        expect(selected.length).toBeLessThanOrEqual(rules.max_artifacts ?? Infinity);
      }),
    );
  });

  it("[W-9.3] takes each artifact at most once, only from what was given, and only of the kinds allowed", () => {
    fc.assert(
      fc.property(artifacts, policy, (list, rules) => {
        const selected = select(list, rules);
        expect(new Set(ids(selected)).size).toBe(selected.length);
        expect(ids(list)).toEqual(expect.arrayContaining([...ids(selected)]));
        for (const { kind: taken } of selected) {
          expect(rules.exclude_kinds).not.toContain(taken);
          if (rules.include_kinds.length > 0) expect(rules.include_kinds).toContain(taken);
        }
      }),
    );
  });

  it("[W-9.3] is deterministic and leaves its input alone", () => {
    fc.assert(
      fc.property(artifacts, policy, (list, rules) => {
        const before = structuredClone(list);
        expect(select(list, rules)).toEqual(select(structuredClone(list), rules));
        expect(list).toEqual(before);
      }),
    );
  });
});

describe("selection order", () => {
  it("[W-9.3] selecting again from a selection changes nothing", () => {
    fc.assert(
      fc.property(artifacts, policy, (list, rules) => {
        const selected = selectArtifacts(list, rules);
        expect(ids(selectArtifacts(selected, rules))).toEqual(ids(selected));
      }),
    );
  });
});

describe("normalisation", () => {
  it("[W-1.14] is idempotent", () => {
    fc.assert(
      fc.property(input, (fields) => {
        const once = normalizeArtifact(fields, context);
        expect(normalizeArtifact(once, { now: 99_000, nextId: () => "other" })).toEqual(once);
      }),
    );
  });
});

describe("the snipper", () => {
  const line = fc.oneof(
    fc.string({ unit: "binary", maxLength: 60 }),
    fc.constantFrom("a.ts:3: error here", "--- FAIL: x", "", "error: y"),
  );
  const body = fc.array(line, { minLength: 20, maxLength: 120 }).map((lines) => lines.join("\n"));
  const MARKER = 60;

  it("[W-14.5] stays within its limit and a marker, and is well-formed where the text was", () => {
    fc.assert(
      fc.property(body, fc.integer({ min: 200, max: 3000 }), (text, limit) => {
        const short = microcompact(text, limit);
        if (text.length <= limit) expect(short).toBe(text);
        else expect(short.length).toBeLessThanOrEqual(limit + MARKER);
        if (text.isWellFormed()) expect(short.isWellFormed()).toBe(true);
      }),
    );
  });

  it("[W-14.5] begins and ends as the text does", () => {
    fc.assert(
      fc.property(body, fc.integer({ min: 200, max: 600 }), (text, limit) => {
        fc.pre(text.length > limit);
        const parts = microcompact(text, limit).split(
          /\n\n\[(?:diagnostic lines preserved|\.\.\. \d+ characters snipped \.\.\.)\]\n/,
        );
        expect(text.startsWith(parts[0] ?? "")).toBe(true);
        const tail =
          microcompact(text, limit)
            .split(/(?:compacted|snipped) \.\.\.\]\n\n/)
            .at(-1) ?? "";
        expect(text.endsWith(tail)).toBe(true);
      }),
    );
  });
});
