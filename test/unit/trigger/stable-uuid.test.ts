import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { sha256Hex, stableUuid } from "../../../src/lib/stable-uuid.ts";

it("[T-26.2] the digest is SHA-256 for texts of every length around a block, and for every kind of character", () => {
  const texts = Array.from({ length: 140 }, (_, length) => "a".repeat(length));
  texts.push("abc", "Ünïcode ☃", "\u{1f600}".repeat(40), "\u0000\u007f\u0080\u07ff\u0800\uffff");
  for (const text of texts) expect(sha256Hex(text)).toBe(createHash("sha256").update(text).digest("hex"));
  expect(sha256Hex("\ud800")).toBe(sha256Hex("\ufffd"));
});

it("[T-26.2] the same text gives the same UUID of version 8, another text another one", () => {
  const digest = createHash("sha256").update("x").digest("hex");
  expect(digest.slice(0, 32)).toBe("2d711642b726b04401627ca9fbac32f5");
  expect(stableUuid("x")).toBe("2d711642-b726-8044-8162-7ca9fbac32f5");
  const ids = Array.from({ length: 500 }, (_, index) => stableUuid(String(index)));
  expect(new Set(ids).size).toBe(500);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
