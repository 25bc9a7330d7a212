import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  drainDecisionReceipt,
  inputHash,
  promptHash,
  type ReceiptKey,
  redacted,
  replayedDrainAction,
  replayedInput,
  resumptionReceipt,
  suspensionReceipt,
  timestampText,
  verifyTimestamp,
} from "../../../src/engine/worker/receipts.ts";

const key: ReceiptKey = {
  key_id: "local-session",
  sign: (text) => createHmac("sha256", "secret").update(text).digest("hex"),
};

const AT = Date.parse("2026-04-19T12:00:00.000Z");
const who = { handle: "w", session_id: "s", initiator: "operator", initiator_id: "ann" } as const;
const resumed = (input?: unknown, redactions: Parameters<typeof resumptionReceipt>[2]["redactions"] = []) =>
  resumptionReceipt(
    { ...who, continue_transcript: true, ...(input === undefined ? {} : { input: input as string }) },
    AT,
    { ...key, redactions },
  );

describe("a receipt", () => {
  it("[L-20] signs its moment over the lines of the timestamp", () => {
    const what = { kind: "suspension_receipt", at_ms: 5, subject: "w", initiator: "ann" } as const;
    expect(timestampText(what)).toBe(
      "harn.lifecycle.timestamp.v1\nkind=suspension_receipt\nat_ms=5\nsubject=w\ninitiator=ann\n",
    );
    const receipt = suspensionReceipt({ ...who, reason: "r" }, AT, key);
    expect(receipt.suspended_at).toEqual({
      at_ms: AT,
      at: "2026-04-19T12:00:00.000Z",
      algorithm: "hmac-sha256",
      key_id: "local-session",
      signature: `sha256:${key.sign(timestampText({ ...what, at_ms: AT }))}`,
    });
    expect(verifyTimestamp(receipt.suspended_at, what, key)).toEqual({ ok: true, value: null });
  });

  it("[L-20] whose moment was tampered with is refused with HARN-SUS-013", () => {
    const { resumed_at: stamp } = resumed();
    const what = { kind: "resumption_receipt", subject: "w", initiator: "ann" } as const;
    expect(verifyTimestamp(stamp, what, key).ok).toBe(true);
    for (const [changed, about] of [
      [{ ...stamp, at_ms: AT + 1 }, what],
      [{ ...stamp, at: "2026-04-19T12:00:01.000Z" }, what],
      [{ ...stamp, key_id: "other" }, what],
      [{ ...stamp, algorithm: "none" as "hmac-sha256" }, what],
      [{ ...stamp, signature: `${stamp.signature}0` }, what],
      [stamp, { ...what, initiator: "bob" }],
    ] as const)
      expect(verifyTimestamp(changed, about, key)).toMatchObject({
        ok: false,
        error: expect.stringMatching(/^HARN-SUS-013 /),
      });
  });

  it("[L-20] has a hash of its input that does not depend on the order of keys, nor on what is redacted", () => {
    const hash = inputHash({ a: 1, b: { c: 2, d: [3] } });
    expect(hash).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(inputHash({ b: { d: [3], c: 2 }, a: 1 })).toBe(hash);
    expect(inputHash(null)).toBe(null);
    const receipt = resumed({ a: 1, b: { c: 2, d: [3] } }, [{ pointer: "/b/d/0", reason: "secret" }]);
    expect(receipt).toMatchObject({
      input: { a: 1, b: { c: 2, d: [{ $harn_redacted: "secret" }] } },
      input_hash: hash,
    });
    expect(Object.hasOwn(resumed(), "input")).toBe(false);
  });

  it("[L-20] leaves alone what a pointer does not reach, and reads its escapes", () => {
    expect(redacted({ a: 1 }, [{ pointer: "/b/c", reason: "r" }])).toEqual({ a: 1 });
    expect(redacted("text", [{ pointer: "/b", reason: "r" }])).toBe("text");
    expect(redacted("text", [{ pointer: "", reason: "r" }])).toEqual({ $harn_redacted: "r" });
    expect(redacted({ "a/b~": 1 }, [{ pointer: "/a~1b~0", reason: "r" }])).toEqual({ "a/b~": { $harn_redacted: "r" } });
  });
});

describe("a replay", () => {
  it("[L-20] gets the recorded input for the same one, and HARN-SUS-011 for another", () => {
    const receipt = resumed({ a: 1 });
    expect(replayedInput(receipt, { a: 1 })).toEqual({ ok: true, value: { a: 1 } });
    expect(replayedInput(receipt, { a: 2 })).toEqual({
      ok: false,
      error: `HARN-SUS-011 replay resume input hash mismatch for w (expected ${inputHash({ a: 1 })}, got ${inputHash({ a: 2 })})`,
    });
    expect(replayedInput(resumed(), null)).toEqual({ ok: true, value: null });
    expect(replayedInput(resumed(), "x").ok || replayedInput(receipt, null).ok).toBe(false);
  });

  it("[L-20] gets the recorded decision for the same prompt, and HARN-SUS-012 for another", () => {
    const facts = {
      pipeline_id: "p",
      item: { category: "suspended_subagent", id: "w", summary: null },
      action: "cancel",
      reason: "r",
      decided_by: "drain",
    } as const;
    const receipt = drainDecisionReceipt({ ...facts, prompt_hash: promptHash("ask") }, AT, key);
    expect(replayedDrainAction(receipt, "ask")).toEqual({ ok: true, value: "cancel" });
    expect(replayedDrainAction(receipt, "other")).toMatchObject({
      error: expect.stringMatching(/^HARN-SUS-012 replay drain prompt hash mismatch for w /),
    });
    expect(replayedDrainAction(receipt, null).ok).toBe(false);
    const plain = drainDecisionReceipt(facts, AT, key);
    expect(replayedDrainAction(plain, null)).toEqual({ ok: true, value: "cancel" });
    expect(replayedDrainAction(plain, "ask").ok).toBe(false);
    const what = { kind: "drain_decision_receipt", subject: "p", initiator: "drain" } as const;
    expect(verifyTimestamp(plain.decided_at, what, key).ok).toBe(true);
  });
});
