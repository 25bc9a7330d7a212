import { describe, expect, it } from "vitest";
import { compactOversized, selectAdaptive } from "../../../src/engine/artifact/adaptive.ts";
import { artifactFromValue } from "../../../src/engine/artifact/from-value.ts";
import { type ArtifactInput, estimateTokens, normalizeArtifact } from "../../../src/engine/artifact/normalize.ts";
import { freshnessRank, type SelectionPolicy, selectArtifacts } from "../../../src/engine/artifact/select.ts";
import { selectForStage } from "../../../src/engine/artifact/stage-selection.ts";
import type { ArtifactRecord } from "../../../src/schema/artifact.ts";

const context = { now: 1_700_000_000_000, nextId: (prefix: string) => `${prefix}_new` };

const artifact = (id: string, fields: ArtifactInput = {}): ArtifactRecord =>
  normalizeArtifact({ id, kind: "summary", created_at: "1", ...fields }, context);

const policy = (fields: Partial<SelectionPolicy> = {}): SelectionPolicy => ({
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
  ...fields,
});

const ids = (artifacts: readonly ArtifactRecord[]): readonly string[] => artifacts.map(({ id }) => id);

describe("normalisation", () => {
  it.each([
    ["file", "workspace_file", 70],
    ["transcript", "transcript_summary", 60],
    ["verification", "verification_result", 100],
    ["test", "test_result", 100],
    ["handoff", "handoff", 92],
    ["apply_intent", "apply_intent", 90],
    ["plan", "plan", 80],
    ["command_result", "command_result", 50],
    [" ", "artifact", 40],
    ["analysis_note", "analysis_note", 40],
  ])("[W-1.14] kind %j becomes %j with priority %d", (given, kind, priority) => {
    expect(normalizeArtifact({ kind: given }, context)).toMatchObject({ kind, priority });
  });

  it("[W-1.14] an empty artifact gets a tag, an id and the moment in unix seconds", () => {
    expect(normalizeArtifact({}, context)).toMatchObject({
      _type: "artifact",
      id: "artifact_new",
      created_at: "1700000000",
      estimated_tokens: null,
      lineage: [],
      metadata: {},
    });
  });

  it("[W-1.14] tokens are a quarter of the UTF-8 bytes, rounded up, and never overwritten", () => {
    expect(estimateTokens("éé€")).toBe(2);
    expect(artifact("a", { text: "abcde" }).estimated_tokens).toBe(2);
    expect(artifact("a", { text: "" }).estimated_tokens).toBe(0);
    expect(artifact("a", { text: "abcde", estimated_tokens: 99 }).estimated_tokens).toBe(99);
  });

  it("[W-6.5] a text value is body and data, any other value is data only", () => {
    const produced = { node: "n", kind: "plan", index: 2, lineage: ["x"], title: "t" };
    expect(artifactFromValue({ ...produced, value: "hello" }, context)).toMatchObject({
      id: "n_artifact_new",
      text: "hello",
      data: "hello",
      source: "n",
      stage: "n",
      freshness: "fresh",
      relevance: 1,
      lineage: ["x"],
      metadata: { index: 2 },
      priority: 80,
    });
    expect(artifactFromValue({ ...produced, value: { a: 1 } }, context)).toMatchObject({ text: null, data: { a: 1 } });
  });
});

describe("plain selection", () => {
  it("[W-1.14] freshness ranks", () => {
    expect(["fresh", "live", "recent", "normal", "odd", null, "stale"].map(freshnessRank)).toEqual([
      3, 3, 2, 1, 1, 1, 0,
    ]);
  });

  it("[W-9.3] kinds and stages filter; an artifact without a stage fails a stage filter", () => {
    const all = [artifact("plan", { kind: "plan", stage: "a" }), artifact("sum", { stage: "b" }), artifact("none")];
    expect(ids(selectArtifacts(all, policy({ include_kinds: ["summary"] })))).toEqual(["sum", "none"]);
    expect(ids(selectArtifacts(all, policy({ exclude_kinds: ["summary"] })))).toEqual(["plan"]);
    expect(ids(selectArtifacts(all, policy({ include_stages: ["b"] })))).toEqual(["sum"]);
  });

  it("[W-9.3] pinned first, then preferred kinds, then priority", () => {
    const all = [
      artifact("low"),
      artifact("high", { priority: 99 }),
      artifact("kind", { kind: "note" }),
      artifact("pin"),
    ];
    const order = selectArtifacts(all, policy({ pinned_ids: ["pin"], prioritize_kinds: ["note"] }));
    expect(ids(order)).toEqual(["pin", "kind", "high", "low"]);
  });

  it("[W-9.3] freshness and recency only count when the policy asks for them", () => {
    const all = [
      artifact("stale", { freshness: "stale", created_at: "3" }),
      artifact("fresh", { freshness: "fresh", created_at: "1" }),
      artifact("recent", { freshness: "recent", created_at: "2" }),
    ];
    expect(ids(selectArtifacts(all, policy()))).toEqual(["stale", "fresh", "recent"]);
    expect(ids(selectArtifacts(all, policy({ prefer_fresh: true })))).toEqual(["fresh", "recent", "stale"]);
    expect(ids(selectArtifacts(all, policy({ prefer_recent: true })))).toEqual(["stale", "recent", "fresh"]);
  });

  it("[W-9.3] relevance descends with none last, then fewer tokens, unknown sizes last", () => {
    const all = [
      artifact("unrated"),
      artifact("long", { relevance: 0.5, text: "aaaaaaaa" }),
      artifact("unsized", { relevance: 0.5 }),
      artifact("short", { relevance: 0.5, text: "a" }),
      artifact("zero", { relevance: 0 }),
    ];
    expect(ids(selectArtifacts(all, policy()))).toEqual(["short", "long", "unsized", "zero", "unrated"]);
  });

  it("[W-9.3] what does not fit is passed over and a smaller one may still be taken", () => {
    const all = [
      artifact("big", { priority: 9, estimated_tokens: 8 }),
      artifact("bigger", { priority: 8, estimated_tokens: 9 }),
      artifact("small", { priority: 7, estimated_tokens: 2 }),
    ];
    expect(ids(selectArtifacts(all, policy({ max_tokens: 10 })))).toEqual(["big", "small"]);
  });

  it("[W-9.3] a reserve lowers the budget, not below zero, and pins do not go beyond it", () => {
    const all = [artifact("pin", { text: "aaaa" }), artifact("free", { text: "" })];
    const strict = policy({ max_tokens: 5, reserve_tokens: 9, pinned_ids: ["pin"] });
    expect(ids(selectArtifacts(all, strict))).toEqual(["free"]);
  });

  it("[W-9.3] the count limit may be zero", () => {
    expect(selectArtifacts([artifact("a")], policy({ max_artifacts: 0 }))).toEqual([]);
  });
});

describe("adaptive selection", () => {
  it("[W-9.2] stale evidence about a freshly changed path is dropped, fresh or unrelated evidence stays", () => {
    const all = [
      artifact("change", { freshness: "fresh", metadata: { changed_paths: [" src/a.ts ", "", 3] } }),
      artifact("old", { text: "1", metadata: { evidence_paths: ["src/a.ts"] } }),
      artifact("live", { text: "2", freshness: "live", metadata: { evidence_paths: ["src/a.ts"] } }),
      artifact("other", { text: "3", metadata: { evidence_paths: ["src/b.ts"] } }),
    ];
    expect(new Set(ids(selectAdaptive(all, policy())))).toEqual(new Set(["change", "live", "other"]));
  });

  it("[W-9.2] a change that is not fresh drops nothing", () => {
    const all = [
      artifact("change", { metadata: { changed_paths: ["a"] } }),
      artifact("old", { metadata: { evidence_paths: ["a"] } }),
    ];
    expect(selectAdaptive(all, policy())).toHaveLength(2);
  });

  it("[W-9.2] the first of equal texts survives even where a later one ranks higher; empty texts are never merged", () => {
    const all = [
      artifact("first", { text: "same" }),
      artifact("second", { text: "same", priority: 100 }),
      artifact("e1", { text: "" }),
      artifact("e2", { text: "" }),
    ];
    expect(new Set(ids(selectAdaptive(all, policy())))).toEqual(new Set(["first", "e1", "e2"]));
  });

  it("[W-9.2] an artifact above twice its share is shortened to it and its estimate says so", () => {
    const all = [artifact("huge", { text: "x".repeat(10_000) }), artifact("small", { text: "small" })];
    const [small, huge] = selectAdaptive(all, policy({ max_tokens: 1000 }));
    expect(small?.id).toBe("small");
    expect(huge).toMatchObject({ id: "huge", estimated_tokens: 500 });
    expect(huge?.text).toContain("[... 8000 characters snipped ...]");
  });

  it("[W-9.2] exactly twice the share is still let through whole", () => {
    const twice = artifact("twice", { text: "x".repeat(4000) });
    const more = artifact("more", { text: "x".repeat(4001) });
    expect(compactOversized([twice, more], 1000).map((one) => one.estimated_tokens)).toEqual([1000, 500]);
  });

  it("[W-9.2] a share below 200 characters shortens nothing", () => {
    const all = [artifact("a", { text: "x".repeat(1000) })];
    expect(compactOversized(all, 49)).toBe(all);
    expect(compactOversized(all, 50)[0]?.estimated_tokens).toBe(50);
  });

  it("[W-9.1] a context policy without kinds takes those of the input contract", () => {
    const all = [artifact("sum"), artifact("plan", { kind: "plan" })];
    expect(ids(selectForStage(all, policy(), { input_kinds: ["plan"] }))).toEqual(["plan"]);
    expect(ids(selectForStage(all, policy({ include_kinds: ["summary"] }), { input_kinds: ["plan"] }))).toEqual([
      "sum",
    ]);
    expect(selectForStage(all, policy(), { input_kinds: [] })).toHaveLength(2);
  });
});
