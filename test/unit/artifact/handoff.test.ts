import { describe, expect, it } from "vitest";
import { constructArtifact, handoffToArtifact, renderHandoff } from "../../../src/engine/artifact/handoff-artifact.ts";
import { syncRunHandoffs } from "../../../src/engine/artifact/handoff-sync.ts";
import { extractHandoffs, mergeHandoffs, normalizeHandoff } from "../../../src/engine/artifact/handoff.ts";
import { normalizeArtifact } from "../../../src/engine/artifact/normalize.ts";
import type { Json, JsonObject } from "../../../src/lib/json.ts";
import { decodeArtifact, type Handoff } from "../../../src/schema/artifact.ts";

const makeContext = () => {
  let count = 0;
  return { now: 5_000, nextId: (prefix: string) => `${prefix}_${++count}` };
};

const given = {
  id: "h1",
  source_persona: " captain ",
  target_persona_or_human: { kind: "robot", id: " ", label: "reviewer" },
  task: "Review",
  reason: "Needs review",
} satisfies JsonObject;

const handoff = (fields: JsonObject = {}): Handoff => {
  const result = normalizeHandoff({ ...given, ...fields }, makeContext());
  if (!result.ok) throw new Error(result.error);
  return result.value;
};

describe("normalising a handoff", () => {
  it("[W-1.15] texts are trimmed, lists deduplicated, confidence clamped, receipts named", () => {
    expect(
      handoff({ requested_capabilities: ["a", " a", " "], confidence: 1.7, receipt_links: [{ kind: "", path: " " }] }),
    ).toMatchObject({
      _type: "handoff_artifact",
      source_persona: "captain",
      target_persona_or_human: { kind: "persona", id: null, label: "reviewer" },
      requested_capabilities: ["a"],
      confidence: 1,
      receipt_links: [{ kind: "run_receipt", path: null }],
      created_at: "5",
    });
    expect(handoff({ confidence: -3 }).confidence).toBe(0);
  });

  it("[W-1.15] a missing id and parent run are filled in", () => {
    const result = normalizeHandoff({ ...given, id: "" }, makeContext(), "run_1");
    expect(result).toMatchObject({ ok: true, value: { id: "handoff_1", parent_run_id: "run_1" } });
  });

  it.each([
    [{ source_persona: " " }, "handoff source_persona is required"],
    [{ target_persona_or_human: { kind: "human" } }, "handoff target_persona_or_human is required"],
    [{ task: "" }, "handoff task is required"],
    [{ reason: " " }, "handoff reason is required"],
    [{ task: 3 }, "handoff parse error: task: expected a string"],
    [{ open_questions: "x" }, "handoff parse error: open_questions: expected a list"],
    [{ open_questions: [1] }, "handoff parse error: open_questions: expected a list of strings"],
    [{ evidence_refs: [1] }, "handoff parse error: evidence_refs: expected a list of objects"],
    [{ confidence: "high" }, "handoff parse error: confidence: expected a number"],
    [{ budget_remaining: 3 }, "handoff parse error: budget_remaining: expected an object"],
    [{ parent_run_id: 3 }, "handoff parse error: parent_run_id: expected a string"],
    [{ target_persona_or_human: "bob" }, "handoff parse error: target_persona_or_human: expected an object"],
  ])("[W-1.15] %j is refused", (fields, error) => {
    expect(normalizeHandoff({ ...given, ...fields } as Json, makeContext())).toEqual({ ok: false, error });
  });

  it("[W-1.15] only an object can be a handoff", () => {
    expect(normalizeHandoff("x", makeContext())).toEqual({
      ok: false,
      error: "handoff parse error: expected an object",
    });
  });
});

describe("finding and merging handoffs", () => {
  it("[W-1.15] handoffs are found in handoffs, artifacts, run, result and handed-over state", () => {
    const value = {
      result: { artifacts: [{ _type: "artifact", kind: "handoff", data: { ...given, id: "a" } }] },
      run: {
        handoffs: [
          { ...given, id: "b" },
          { ...given, id: "c", task: "" },
        ],
      },
      artifacts: [
        { _type: "agent_state_handoff", summary: { ...given, id: "d" } },
        { kind: "plan", data: {} },
      ],
    };
    expect(extractHandoffs(value, makeContext()).map(({ id }) => id)).toEqual(["d", "b", "a"]);
  });

  it("[W-1.15] the earlier handoff wins where it says something; receipts and metadata are united", () => {
    const left = handoff({ open_questions: ["q"], receipt_links: [{ kind: "k", path: "p" }], metadata: { a: 1 } });
    const right = handoff({
      task: "Other",
      open_questions: ["r"],
      blocked_on: ["b"],
      confidence: 0.5,
      receipt_links: [
        { kind: "k", path: "p", label: "again" },
        { kind: "k", path: "q" },
      ],
      metadata: { a: 2, b: 3 },
    });
    expect(mergeHandoffs([left, right])).toMatchObject([
      {
        task: "Review",
        open_questions: ["q"],
        blocked_on: ["b"],
        confidence: 0.5,
        receipt_links: [{ path: "p", label: null }, { path: "q" }],
        metadata: { a: 1, b: 3 },
      },
    ]);
  });
});

const construct = (value: JsonObject) => {
  const decoded = decodeArtifact(value);
  if (!decoded.ok) throw new Error(decoded.error.message);
  return constructArtifact(decoded.value, value, makeContext());
};

describe("a handoff as an artifact", () => {
  it("[W-1.15] it has the handoff as data, a title, and the handoff's priority and confidence", () => {
    expect(handoffToArtifact(handoff({ confidence: 0.25 }), makeContext())).toMatchObject({
      id: "artifact_h1",
      kind: "handoff",
      title: "Handoff to reviewer",
      source: "captain",
      freshness: "fresh",
      priority: 85,
      relevance: 0.25,
      created_at: "5",
      data: { id: "h1" },
      metadata: { handoff_id: "h1", target_kind: "persona", target_label: "reviewer" },
    });
  });

  it("[W-1.15] the text lists what is there and nothing else", () => {
    const text = renderHandoff(
      handoff({
        task: "a < b",
        blocked_on: ["x"],
        evidence_refs: [{ artifact_id: "art", label: "L", path: "p", uri: "u", kind: "k" }],
        budget_remaining: { tokens: 10, dollars: 1.5 },
        deadline_checkback: { checkback_at: "2026" },
        confidence: 0.5,
      }),
    );
    expect(text).toBe(
      [
        "<handoff>",
        "<source_persona>captain</source_persona>",
        '<target kind="persona">reviewer</target>',
        "<task>a &lt; b</task>",
        "<reason>Needs review</reason>",
        "<blocked_on>",
        "- x",
        "</blocked_on>",
        "<evidence_refs>",
        "- L | artifact_id=art | path=p | uri=u | kind=k",
        "</evidence_refs>",
        '<budget_remaining tokens="10" dollars="1.5000"/>',
        '<deadline_checkback checkback_at="2026"/>',
        "<confidence>0.50</confidence>",
        "</handoff>",
      ].join("\n"),
    );
  });

  it("[W-1.14] an artifact of kind handoff must hold one, in its data or itself", () => {
    expect(construct({ kind: "handoff", id: "mine", title: "T", data: given })).toMatchObject({
      ok: true,
      value: { id: "mine", title: "T", priority: 85 },
    });
    expect(construct({ ...given, kind: "handoff" })).toMatchObject({ ok: true, value: { id: "artifact_h1" } });
    const error = "artifact handoff data must contain a valid handoff payload";
    expect(construct({ kind: "handoff", data: { task: "t" } })).toEqual({ ok: false, error });
    expect(construct({ kind: "handoff", data: { ...given, reason: "" } })).toEqual({ ok: false, error });
    expect(construct({ kind: "file" })).toMatchObject({ ok: true, value: { kind: "workspace_file" } });
  });
});

describe("synchronising a run", () => {
  const run = {
    id: "run_1",
    workflow_id: "wf",
    workflow_name: null,
    persisted_path: "runs/1",
    handoffs: [],
    artifacts: [],
  };

  it("[W-1.15] every handoff gets its run, one receipt and one artifact, and doing it again changes nothing", () => {
    const context = makeContext();
    const once = syncRunHandoffs({ ...run, handoffs: [handoff()] }, context);
    expect(once).toMatchObject({
      handoffs: [
        {
          parent_run_id: "run_1",
          receipt_links: [{ kind: "run_receipt", label: "wf", run_id: "run_1", path: "runs/1" }],
        },
      ],
      artifacts: [{ id: "artifact_h1" }],
    });
    expect(syncRunHandoffs(once, context)).toEqual(once);
  });

  it("[W-1.15] a handoff in an artifact becomes the run's, and the artifact is brought up to date in its place", () => {
    const carrier = normalizeArtifact({ id: "c", kind: "handoff", data: { ...given } }, makeContext());
    const twin = { ...carrier, id: "d" };
    const other = normalizeArtifact({ id: "o" }, makeContext());
    const synced = syncRunHandoffs({ ...run, artifacts: [carrier, other, twin] }, makeContext());
    expect(synced.handoffs).toHaveLength(1);
    expect(synced.artifacts.map(({ id }) => id)).toEqual(["c", "o"]);
    expect(synced.artifacts[0]).toMatchObject({ data: { parent_run_id: "run_1" } });
  });

  it("[W-1.15] an artifact that only names a handoff is filled from it", () => {
    const named = normalizeArtifact({ id: "n", kind: "handoff", metadata: { handoff_id: "h1" } }, makeContext());
    const broken = normalizeArtifact({ id: "x", kind: "handoff", data: { task: "" } }, makeContext());
    const synced = syncRunHandoffs({ ...run, handoffs: [handoff()], artifacts: [named, broken] }, makeContext());
    expect(synced.artifacts).toMatchObject([
      { id: "n", data: { id: "h1" } },
      { id: "x", data: { task: "" } },
    ]);
  });

  it("[W-1.15] handoffs are in the order they were created and a moved run moves its receipt", () => {
    const late = handoff({ id: "late", created_at: "9" });
    const early = handoff({ id: "early", created_at: "1" });
    const synced = syncRunHandoffs({ ...run, handoffs: [late, early] }, makeContext());
    expect(synced.handoffs.map(({ id }) => id)).toEqual(["early", "late"]);
    const moved = syncRunHandoffs({ ...synced, persisted_path: "runs/2" }, makeContext());
    expect(moved.handoffs[0]?.receipt_links).toMatchObject([{ path: "runs/2" }]);
  });

  it("[W-1.15] a run without handoffs is the same run", () => {
    expect(syncRunHandoffs(run, makeContext())).toBe(run);
  });
});
