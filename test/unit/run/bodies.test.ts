import { describe, expect, it } from "vitest";
import { renderArtifacts } from "../../../src/engine/artifact/render.ts";
import { microcompact } from "../../../src/engine/artifact/microcompact.ts";
import { estimateTokens, normalizeArtifact } from "../../../src/engine/artifact/normalize.ts";
import { conditionHolds } from "../../../src/engine/node/condition.ts";
import { needsBodies } from "../../../src/engine/node/condition-work.ts";
import { liveEvents } from "../../../src/engine/observe/live.ts";
import type { RunEvent } from "../../../src/engine/run/event.ts";
import { evaluateVerification } from "../../../src/engine/verification/evaluate.ts";
import { takeEvidence, textChecks, withEvidence } from "../../../src/engine/verification/body-evidence.ts";
import { fillMarkers, markerText, wholeBody } from "../../../src/lib/body-marker.ts";
import type { ArtifactRecord } from "../../../src/schema/artifact.ts";

const LONG = `beginning ${"ä<\n".repeat(60_000)} end`;

const MARKER = markerText(wholeBody({ sha256: "ab".repeat(32), bytes: 240_014, chars: LONG.length }));

const fill = (text: string): string => fillMarkers(text, () => LONG);

const artifact = (fields: Partial<ArtifactRecord>): ArtifactRecord =>
  normalizeArtifact({ id: "a", kind: "note", ...fields }, { now: 0, nextId: (prefix) => prefix });

describe("artifacts whose text is a body", () => {
  it("[W-1.14] are estimated by their body", () => {
    expect(estimateTokens(MARKER)).toBe(60_004);
    expect(estimateTokens(`${MARKER}1234`)).toBe(60_005);
    expect(artifact({ text: MARKER }).estimated_tokens).toBe(60_004);
  });

  it("[W-1.14] a marker that claims to be short counts as the text it is", () => {
    const forged = markerText(wholeBody({ sha256: "0".repeat(64), bytes: 0, chars: 1 }));
    expect(estimateTokens(forged.repeat(100))).toBeGreaterThan(2_000);
  });

  it("[W-9.2] are shortened to the beginning and the end of their body", () => {
    const short = microcompact(MARKER, 400);
    expect(short.length).toBeLessThan(400);
    expect(fill(short)).toBe(
      `${LONG.slice(0, 200)}\n\n[... ${LONG.length - 400} characters snipped ...]\n\n${LONG.slice(-200)}`,
    );
    expect(microcompact(MARKER, LONG.length)).toBe(MARKER);
  });

  it("[W-8.4] are rendered as JSON in which the body will be a JSON text", () => {
    const text = renderArtifacts([artifact({ text: `<${MARKER}>` })], { render: "json" });
    expect(JSON.parse(fill(text))).toMatchObject({ text: `<${LONG}>` });
    const data = renderArtifacts([artifact({ data: { list: [MARKER] } })], { render: "json" });
    expect(JSON.parse((JSON.parse(fill(data)) as { text: string }).text)).toEqual({ list: [LONG] });
    expect(fill(renderArtifacts([artifact({ text: MARKER })], { render: null }))).toContain(`<body>\n${LONG}\n</body>`);
  });
});

describe("conditions on bodies", () => {
  const node = { kind: "condition", metadata: { contains_text: "needle" } };
  const marked = artifact({ text: `a ${MARKER}` });

  it("[W-6.1] need them only where nothing else decides", () => {
    expect(needsBodies(node, [artifact({ text: "hay" }), marked])).toEqual({
      contains_text: "needle",
      texts: [marked.text],
    });
    expect(needsBodies(node, [artifact({ text: "a needle" }), marked])).toBeNull();
    expect(needsBodies(node, [artifact({ text: "hay" }), artifact({ text: null })])).toBeNull();
    expect(needsBodies({ ...node, kind: "reduce" }, [marked])).toBeNull();
    expect(needsBodies({ ...node, metadata: { artifact_kind: "note" } }, [marked])).toBeNull();
    expect(conditionHolds({ artifact_kind: "note" }, [marked])).toBe(true);
  });
});

describe("checks of texts that have become bodies", () => {
  const verify = { assert_text: "end", expect_text: "middle", expect_status: 0 };
  const seen = [
    { kind: "assert_text", ok: true, expected: "end" },
    { kind: "expect_text", ok: true, expected: "middle" },
  ];

  it("[W-7.1] come to what was seen before", () => {
    const result = { visible_text: MARKER, text: MARKER, exit_status: 0 };
    expect(evaluateVerification(verify, result, seen).ok).toBe(true);
    expect(evaluateVerification(verify, result).checks?.map(({ ok }) => ok)).toEqual([false, true, false]);
    const otherwise = [{ kind: "assert_text", ok: true, expected: "another" }];
    expect(evaluateVerification({ assert_text: "end" }, result, otherwise).ok).toBe(false);
  });

  it("[W-7.1] evidence is for bodies alone: a text that can be read is read", () => {
    const result = { visible_text: "short", text: MARKER };
    expect(evaluateVerification({ assert_text: "end" }, result, seen).ok).toBe(false);
    expect(evaluateVerification({ expect_text: "middle" }, result, seen).ok).toBe(true);
  });

  it("[W-7.1] evidence is taken off a result, and what is no evidence is dropped", () => {
    const plain = { text: "t" };
    expect(takeEvidence(plain).result).toBe(plain);
    expect(withEvidence(plain, [])).toBe(plain);
    expect(takeEvidence(withEvidence(plain, seen))).toEqual({ result: plain, evidence: seen });
    expect(takeEvidence({ text: "t", __checks: [1, { kind: "x" }] })).toEqual({ result: plain, evidence: [] });
    expect(takeEvidence({ text: "t", __checks: "x" }).evidence).toEqual([]);
  });

  it("[W-7.1] only settings that read texts are told to drivers", () => {
    expect(textChecks({ ...verify, command: "make" })).toEqual({ assert_text: "end", expect_text: "middle" });
    expect(textChecks({ expect_status: 0, assert_text: 7 })).toBeNull();
    expect(textChecks(null)).toBeNull();
  });
});

describe("live events", () => {
  it("[architecture 4] quote the beginning of a body", () => {
    const event = { type: "stage_completed", v: 1, at: "", result: { text: MARKER } } as unknown as RunEvent;
    const [live] = liveEvents([{ seq: 1, at_ms: 0, events: [event] }], null, 1);
    expect(fill(String(live?.data["visible_text"]))).toBe(LONG.slice(0, 2_000));
  });
});
