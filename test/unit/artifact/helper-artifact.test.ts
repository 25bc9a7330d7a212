import { describe, expect, it } from "vitest";
import { deriveArtifact, estimateMessageTokens } from "../../../src/engine/artifact/derive.ts";
import { type HelperCall, helperArtifact } from "../../../src/engine/artifact/helper-artifact.ts";
import { unifiedDiff } from "../../../src/engine/artifact/line-diff.ts";
import { type ArtifactInput, normalizeArtifact } from "../../../src/engine/artifact/normalize.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import type { ArtifactRecord } from "../../../src/schema/artifact.ts";
import { HELPER_OPS, type HelperKind } from "../../../src/schema/artifact-helper.ts";

const context = { now: 5_000, nextId: (prefix: string) => `${prefix}_new` };

const artifact = (fields: ArtifactInput): ArtifactRecord => normalizeArtifact(fields, context);

const target = artifact({ id: "t", kind: "diff", title: "the change", text: "-a\n+b\n", lineage: ["p", "q"] });

const make = (kind: HelperKind, args: HelperCall["args"], rest: Omit<HelperCall, "args"> = {}): ArtifactRecord => {
  const made = helperArtifact(kind, { args, ...rest }, context);
  if (!made.ok) throw new Error(made.error);
  return made.value;
};

const refusal = (kind: HelperKind, args: HelperCall["args"], rest: Omit<HelperCall, "args"> = {}): string => {
  const made = helperArtifact(kind, { args, ...rest }, context);
  return made.ok ? "made" : made.error;
};

const REFERENCE = { target_artifact_id: "t", target_kind: "diff" };

/** A helper, its arguments, and the title, text, data and metadata of what it makes. */
type Row = readonly [HelperKind, JsonObject, string, string | null, JsonObject, JsonObject];

const toCase = ([kind, args, title, text, data, metadata]: Row) => ({ kind, args, title, text, data, metadata });

const ALONE: readonly Row[] = [
  ["workspace_file", { path: "a.ts", content: "x" }, "a.ts", "x", { path: "a.ts", content: "x" }, { path: "a.ts" }],
  [
    "workspace_snapshot",
    { paths: ["a", "b"], summary: "two" },
    "workspace snapshot",
    "two",
    { paths: ["a", "b"] },
    { paths: ["a", "b"] },
  ],
  ["workspace_snapshot", { paths: [] }, "workspace snapshot", null, { paths: [] }, { paths: [] }],
  ["editor_selection", { path: "a", text: "s" }, "selection a", "s", { path: "a", text: "s" }, { path: "a" }],
  ["verification_result", { title: "t", text: "ok" }, "t", "ok", { title: "t", text: "ok" }, {}],
  ["test_result", { title: "t", text: "ok" }, "t", "ok", { title: "t", text: "ok" }, {}],
  ["command_result", { command: "ls", output: "a" }, "ls", "a", { command: "ls", output: "a" }, { command: "ls" }],
  [
    "command_result",
    { command: "ls", output: { b: 1, a: [] } },
    "ls",
    '{"a":[],"b":1}',
    { command: "ls", output: { b: 1, a: [] } },
    { command: "ls" },
  ],
  [
    "diff",
    { path: "a", before: "1\n", after: "2\n" },
    "diff a",
    "--- a/a\n+++ b/a\n-1\n+2\n",
    { path: "a", before: "1\n", after: "2\n" },
    { path: "a" },
  ],
  ["git_diff", { diff_text: "-x" }, "git diff", "-x", { diff: "-x" }, {}],
  ["verification_bundle", { title: "all", checks: ["a"] }, "all", '["a"]', { title: "all", checks: ["a"] }, {}],
];

const ABOUT_TARGETS: readonly Row[] = [
  ["diff_review", { summary: "fine" }, "review the change", "fine", REFERENCE, REFERENCE],
  ["diff_review", {}, "review the change", null, REFERENCE, REFERENCE],
  [
    "review_decision",
    { decision: "approve" },
    "approve the change",
    "approve",
    { ...REFERENCE, decision: "approve" },
    { ...REFERENCE, decision: "approve" },
  ],
  ["patch_proposal", { patch: "+x" }, "patch for the change", "+x", { ...REFERENCE, patch: "+x" }, REFERENCE],
  ["apply_intent", { intent: "apply" }, "apply the change", "apply", { ...REFERENCE, intent: "apply" }, REFERENCE],
];

describe("the helpers of artifacts", () => {
  it.each(ALONE.map(toCase))("[W-15.2] $kind($args)", ({ kind, args, title, text, data, metadata }) => {
    expect(make(kind, args)).toEqual(artifact({ id: "artifact_new", kind, title, text, data, metadata }));
  });

  it.each(ABOUT_TARGETS.map(toCase))(
    "[W-15.2] $kind is about its target and comes after it",
    ({ kind, args, title, text, data, metadata }) => {
      const lineage = ["own", "p", "q", "t"];
      const made = make(kind, args, {
        target,
        options: { lineage: ["own"], metadata: { kept: 1, target_kind: "forged" } },
      });
      expect(made).toEqual(
        artifact({ id: "artifact_new", kind, title, text, data, lineage, metadata: { kept: 1, ...metadata } }),
      );
      expect(make(kind, args, { target: { ...target, title: null } }).title).toBe(title.replace("the change", "t"));
    },
  );

  it("[W-15.2] options win over title, text and single keys of the data", () => {
    const options = {
      id: "mine",
      title: "T",
      text: "body",
      source: "s",
      stage: "st",
      freshness: "live",
      priority: 3,
      relevance: 0.5,
      estimated_tokens: 9,
      lineage: ["l"],
      metadata: { m: 1, path: "not this" },
      data: { content: "other", more: true },
    };
    expect(make("workspace_file", { path: "a", content: "x" }, { options })).toEqual(
      artifact({
        ...options,
        kind: "workspace_file",
        data: { path: "a", content: "other", more: true },
        metadata: { m: 1, path: "a" },
      }),
    );
    expect(make("test_result", { title: "t", text: "x" }, { options: { data: [1] } }).data).toEqual([1]);
  });

  it("[W-15.2] an option of the wrong type says nothing; options that are none are refused", () => {
    const wrong = {
      id: 1,
      title: null,
      priority: 1.5,
      relevance: "1",
      estimated_tokens: -1,
      lineage: "l",
      metadata: [],
    };
    expect(make("git_diff", { diff_text: "d" }, { options: wrong })).toEqual(make("git_diff", { diff_text: "d" }));
    for (const options of ["x", [], 7, true])
      expect(refusal("git_diff", { diff_text: "d" }, { options })).toBe(
        "artifact helper options must be a dict or nil",
      );
  });

  it.each([
    ["workspace_file", {}, "path"],
    ["workspace_file", { path: "a" }, "content"],
    ["workspace_file", { path: "", content: "x" }, "path"],
    ["workspace_snapshot", {}, "paths"],
    ["editor_selection", { path: "a", text: null }, "text"],
    ["verification_result", { text: "x" }, "title"],
    ["test_result", { title: "x" }, "text"],
    ["command_result", { command: "x" }, "output"],
    ["diff", { path: "a", after: "" }, "before"],
    ["diff", { path: "a", before: "" }, "after"],
    ["git_diff", {}, "diff_text"],
    ["verification_bundle", { title: "x" }, "checks"],
    ["diff_review", {}, "target artifact"],
    ["patch_proposal", { patch: "x" }, "target artifact"],
  ] as const)("[W-15.2] %s(%o) lacks its %s", (kind, args, field) => {
    expect(refusal(kind, args)).toBe(`artifact_${kind}: missing ${field}`);
  });

  it("[W-15.2] each helper has its kind, and the ones about a target want their word", () => {
    for (const [kind, field] of [
      ["review_decision", "decision"],
      ["patch_proposal", "patch"],
      ["apply_intent", "intent"],
    ] as const)
      expect(refusal(kind, {}, { target })).toBe(`artifact_${kind}: missing ${field}`);
    expect(HELPER_OPS).toHaveLength(13);
  });
});

const lines = (word: string): string => Array.from({ length: 20_000 }, (_, line) => `${word}${line}\n`).join("");

describe("a diff of lines", () => {
  it("[W-15.2] shows every line of both versions, without hunks", () => {
    expect(unifiedDiff("src/a.ts", "a\nb\nc\nd\n", "a\nc\nx\nd\ne")).toBe(
      "--- a/src/a.ts\n+++ b/src/a.ts\n a\n-b\n c\n+x\n d\n+e\n",
    );
    expect(unifiedDiff("a", "same\n", "same\n")).toBe("--- a/a\n+++ b/a\n same\n");
    expect(unifiedDiff("a", "", "new\n\n")).toBe("--- a/a\n+++ b/a\n+new\n+\n");
    expect(unifiedDiff("a", "old", "")).toBe("--- a/a\n+++ b/a\n-old\n");
  });

  it("[W-15.2] of texts that are wholly different it shows one after the other, in bounded time", () => {
    const shown = unifiedDiff("a", lines("old"), lines("new")).split("\n");
    expect(shown).toHaveLength(40_003);
    expect([shown[2], shown[20_001], shown[20_002]]).toEqual(["-old0", "-old19999", "+new0"]);
  });
});

describe("artifacts from artifacts", () => {
  it("[W-15.2] a derived artifact keeps the size and the priority of its parent", () => {
    const parent = artifact({ id: "p", kind: "diff", text: "12345678", lineage: ["r"], metadata: { path: "a" } });
    const derived = deriveArtifact(parent, { kind: "summary", text: "short" }, context);
    expect(derived).toEqual({ ...parent, id: "p_derived", kind: "summary", text: "short", lineage: ["r", "p"] });
    expect(derived).toMatchObject({ priority: 90, estimated_tokens: 2 });
    expect(deriveArtifact(parent, { kind: "file" }, context)).toMatchObject({
      kind: "workspace_file",
      text: "12345678",
    });
  });

  it("[W-14.4] messages are estimated by the bytes of their contents", () => {
    expect(
      estimateMessageTokens([{ role: "user", content: "12345" }, { content: "éé" }, { content: [1] }, "x", null]),
    ).toBe(2);
  });
});
