import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { normalizeArtifact } from "../../src/engine/artifact/normalize.ts";
import { splitText } from "../../src/engine/prompt/assembler-chunks.ts";
import { decodeAssembler } from "../../src/engine/prompt/assembler-options.ts";
import { assembleContext } from "../../src/engine/prompt/context-assembler.ts";
import { must } from "../support/run-fixture.ts";

const line = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 60 }),
  fc.constantFrom("", "same line again", "x".repeat(90)),
);
const body = fc.array(line, { maxLength: 30 }).map((lines) => lines.join("\n"));
const artifacts = fc
  .array(fc.record({ text: fc.option(body), created_at: fc.nat(9).map(String) }), { maxLength: 12 })
  .map((inputs) =>
    inputs.map((fields, index) =>
      normalizeArtifact({ ...fields, id: `a${index}`, kind: "note" }, { now: 0, nextId: (prefix) => prefix }),
    ),
  );
const options = fc
  .record({
    budget_tokens: fc.nat(600),
    microcompact_threshold: fc.integer({ min: 1, max: 60 }),
    dedup: fc.constantFrom("none", "chunked", "semantic"),
    strategy: fc.constantFrom("recency", "relevance", "round_robin"),
    semantic_overlap: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map((value) => must(decodeAssembler(value)));

describe("the context assembler", () => {
  it("[W-17.3] never exceeds its budget and loses no chunk without saying why", () => {
    fc.assert(
      fc.property(artifacts, options, (list, rules) => {
        const { chunks, dropped, used_tokens: used } = assembleContext(list, rules, "same line");
        expect(used).toBeLessThanOrEqual(rules.budget_tokens);
        expect(used).toBe(chunks.reduce((sum, { tokens }) => sum + tokens, 0));
        const known = new Set([...chunks.map(({ artifact }) => artifact.id), ...dropped.map((one) => one.artifact_id)]);
        expect(list.filter(({ id, text }) => text?.trim() !== "" && !known.has(id))).toEqual([]);
        const places = [
          ...chunks.map(({ artifact, index }) => `${artifact.id} ${index}`),
          ...dropped.map(({ artifact_id: id, chunk_index: index }) => `${id} ${index}`),
        ];
        expect(new Set(places).size).toBe(places.length);
      }),
    );
  });

  it("[W-17.3] is deterministic", () => {
    fc.assert(
      fc.property(artifacts, options, (list, rules) => {
        expect(assembleContext(list, rules, "q")).toEqual(assembleContext(structuredClone(list), rules, "q"));
      }),
    );
  });

  it("[W-17.3] without repetitions no text is in the context twice", () => {
    fc.assert(
      fc.property(artifacts, options, (list, rules) => {
        fc.pre(rules.dedup !== "none");
        const texts = assembleContext(list, rules, "q").chunks.map(({ text }) => text.trim().replaceAll(/\s+/g, " "));
        expect(new Set(texts).size).toBe(texts.length);
      }),
    );
  });

  it("[W-17.3] the pieces of a text are the text, none longer than asked and none torn inside a character", () => {
    fc.assert(
      fc.property(body, fc.integer({ min: 2, max: 100 }), (text, size) => {
        const pieces = splitText(text, size);
        expect(pieces.join("")).toBe(text);
        expect(pieces.filter((piece) => piece.length > size || piece === "")).toEqual([]);
        if (text.isWellFormed()) expect(pieces.filter((piece) => !piece.isWellFormed())).toEqual([]);
      }),
    );
  });
});
