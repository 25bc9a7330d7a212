import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fillBodies, spillBodies } from "../../src/driver/bodies.ts";
import {
  type BodyMarker,
  escapeMarkers,
  filledBytes,
  filledLength,
  fillMarkers,
  hasMarker,
  markerText,
  segmentsOf,
  sliceMarked,
  wholeBody,
} from "../../src/lib/body-marker.ts";
import { byteLength, type Json } from "../../src/lib/json.ts";
import { changeQuoted, fillSecrets, fillTemplate } from "../../src/lib/template.ts";
import { memoryBlobs } from "../support/memory-blobs.ts";

const ODD = ["⟦godwit-body:", "⟦godwit-body:0:1:2⟧", "⟧", '"\\\n', "𝒳", "\ud800", "{{secret.A}}", "{{", "secret.B}}"];

const plain = fc.oneof(fc.string({ unit: "binary", maxLength: 20 }), fc.constantFrom(...ODD));
const body = fc.oneof(fc.string({ unit: "binary", minLength: 1, maxLength: 60 }), fc.constantFrom(...ODD));

const refOf = (index: number, text: string) => ({
  sha256: index.toString(16).padStart(64, "0"),
  bytes: byteLength(text),
  chars: text.length,
});

/** A text with bodies, the text it stands for, and the bodies. */
const marked = fc.array(fc.oneof(plain, fc.record({ body })), { maxLength: 6 }).map((parts) => {
  const bodies = new Map<string, string>();
  let text = "";
  let full = "";
  for (const [index, part] of parts.entries()) {
    const own = typeof part === "string" ? part : part.body;
    const ref = refOf(index, own);
    if (typeof part !== "string") bodies.set(ref.sha256, own);
    text += typeof part === "string" ? part : markerText(wholeBody(ref));
    full += own;
  }
  return { text, full, fill: (given: string) => fillMarkers(given, ({ sha256 }) => bodies.get(sha256)) };
});

describe("texts with bodies", () => {
  it("[architecture 2] filling gives the text they stand for, whatever the bodies hold", () => {
    fc.assert(
      fc.property(marked, ({ text, full, fill }) => {
        expect(fill(text)).toBe(full);
        expect(filledLength(text)).toBe(full.length);
      }),
    );
  });

  it("[architecture 2] slicing and joining before filling is slicing and joining after it", () => {
    fc.assert(
      fc.property(marked, fc.nat(200), fc.nat(200), fc.nat(200), ({ text, full, fill }, a, b, c) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        const slice = sliceMarked(text, from, to);
        expect(fill(slice)).toBe(full.slice(from, to));
        expect(fill(sliceMarked(slice, 0, c) + sliceMarked(slice, c, slice.length + 500))).toBe(full.slice(from, to));
      }),
    );
  });

  it("[architecture 2] a marker within JSON is filled as if its body had been there when the JSON was written", () => {
    fc.assert(
      fc.property(marked, ({ text, full, fill }) => {
        fc.pre(!hasMarker(full));
        const written = JSON.stringify({ value: escapeMarkers(text) });
        expect(JSON.parse(fill(written))).toEqual({ value: full });
        const twice = JSON.stringify(escapeMarkers(written));
        expect(JSON.parse(JSON.parse(fill(twice)) as string)).toEqual({ value: full });
      }),
    );
  });

  it("[W-1.14] the size of a marker is never less than that of its body, nor than its own text", () => {
    fc.assert(
      fc.property(marked, fc.nat(200), fc.nat(200), ({ text, fill }, a, b) => {
        const slice = sliceMarked(text, Math.min(a, b), Math.max(a, b));
        for (const part of segmentsOf(slice).filter((segment) => typeof segment !== "string")) {
          const own = markerText(part);
          if (part.from === 0 && part.to === part.chars)
            expect(filledBytes(own)).toBeGreaterThanOrEqual(byteLength(fill(own)));
          expect(filledBytes(own)).toBeGreaterThanOrEqual(byteLength(own));
        }
      }),
    );
  });

  it("[architecture 2] a marker is read as it was written, and nothing else is read as one", () => {
    const marker: fc.Arbitrary<BodyMarker> = fc
      .record({
        bytes: fc.nat(1e8),
        chars: fc.integer({ min: 1, max: 1e8 }),
        a: fc.nat(),
        b: fc.nat(),
        escapes: fc.nat(9),
      })
      .map(({ bytes, chars, a, b, escapes }) => {
        const [from = 0, to = 0] = [a % (chars + 1), b % (chars + 1)].toSorted((x, y) => x - y);
        return { sha256: "ab".repeat(32), bytes, chars, from, to, escapes };
      })
      .filter(({ from, to }) => from < to);
    fc.assert(
      fc.property(marker, plain, plain, (given, before, after) => {
        const found = segmentsOf(`${before}${markerText(given)}${after}`).filter((part) => typeof part !== "string");
        expect(found).toEqual([given]);
      }),
    );
    for (const forged of [
      "⟦godwit-body:⟧",
      `⟦godwit-body:${"g".repeat(64)}:1:1⟧`,
      `⟦godwit-body:${"0".repeat(64)}:1:2:2-3⟧`,
    ])
      expect(segmentsOf(forged)).toEqual([forged]);
    // Written otherwise than markers are: with the slice that is the whole body, with leading zeros.
    for (const odd of [":70000:70000:0-70000⟧", ":070000:70000⟧"])
      expect(hasMarker(`⟦godwit-body:${"0".repeat(64)}${odd}`)).toBe(false);
  });

  it("[architecture 2] a body that is not found stays the marker that it was", () => {
    fc.assert(
      fc.property(marked, ({ text }) => {
        expect(fillMarkers(text, () => undefined)).toBe(text);
      }),
    );
  });
});

describe("values with bodies", () => {
  const long = fc.constantFrom(
    "x".repeat(65_537),
    "é".repeat(40_000),
    "𝒳".repeat(30_000),
    "{{secret.A}}".repeat(6_000),
  );
  const value: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      plain,
      long,
      fc.constantFrom(null, 1, true),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(fc.string({ maxLength: 5 }), tie("value"), { maxKeys: 3 }),
    ),
  })).value;

  it("[architecture 2] keeping and filling gives the value back, and what is kept has no long text", async () => {
    await fc.assert(
      fc.asyncProperty(value, async (given) => {
        const blobs = memoryBlobs();
        const kept = await spillBodies(given, blobs);
        if (!kept.ok) throw new Error("refused");
        expect(byteLength(JSON.stringify(kept.value))).toBeLessThan(65_536);
        const { value: filled } = await fillBodies(kept.value, blobs, { max_bytes: 1e9 });
        expect(filled).toEqual(given);
        if (blobs.bodies.size === 0) expect(kept.value).toBe(given);
      }),
      { numRuns: 50 },
    );
  });

  it("[architecture 2] what is filled stays within the budget, and what is left out is named", async () => {
    await fc.assert(
      fc.asyncProperty(value, fc.nat(400_000), async (given, budget) => {
        const blobs = memoryBlobs();
        const kept = await spillBodies(given, blobs);
        if (!kept.ok) throw new Error("refused");
        const { value: filled, left_out } = await fillBodies(kept.value, blobs, { max_bytes: budget });
        const before = byteLength(JSON.stringify(kept.value));
        expect(byteLength(JSON.stringify(filled))).toBeLessThanOrEqual(before + budget);
        if (left_out.length === 0) expect(filled).toEqual(given);
      }),
      { numRuns: 50 },
    );
  });
});

describe("bodies in templates", () => {
  it("[W-8.1] a body in an HTTP call never becomes a secret, however its pieces are put together", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(plain, body), { maxLength: 4 }), fc.array(fc.boolean()), (values, asBody) => {
        const bodies = new Map<string, string>();
        const given = values.map((text, index) => {
          const ref = refOf(index, text);
          if (asBody[index] !== true || text === "") return text;
          bodies.set(ref.sha256, text);
          return markerText(wholeBody(ref));
        });
        const template = `a{{secret.OWN}}b${given.map((_, index) => `{{v.${index}}}`).join("")}c`;
        const scope = (path: string): Json | undefined => given[Number(path.slice(2))];
        const filled = fillTemplate(template, scope, "quoted");
        if (!filled.ok) throw new Error(filled.error);
        const changed = changeQuoted(String(filled.value), (text) =>
          fillMarkers(text, ({ sha256 }) => bodies.get(sha256)),
        );
        const sent = fillSecrets(changed, (name) => `<${name}>`);
        expect(sent).toBe(`a<OWN>b${values.join("")}c`);
      }),
    );
  });
});
