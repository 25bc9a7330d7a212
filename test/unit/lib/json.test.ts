import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { digestOf } from "../../../src/lib/digest.ts";
import { byCodePoint, byteLength, canonicalJson, isObject, type Json, valueAt } from "../../../src/lib/json.ts";

const json = fc.jsonValue({ maxDepth: 4 }).map((value) => value as Json);

/** The same value with the keys of every object in another order. */
const reordered = (value: Json): Json => {
  if (Array.isArray(value)) return (value as readonly Json[]).map(reordered);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, item]) => [key, reordered(item)]),
  );
};

describe("canonicalJson", () => {
  it("[lib] is one text for equal values, and says the same as JSON", () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(canonicalJson(reordered(value))).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it("[lib] sorts keys by UTF-16 unit and leaves out what is undefined", () => {
    expect(canonicalJson({ b: 1, a: [true, null], "\u20ac": "x", "1": 2 })).toBe(
      '{"1":2,"a":[true,null],"b":1,"\u20ac":"x"}',
    );
    expect(canonicalJson({ a: undefined } as unknown as Json)).toBe("{}");
  });

  it("[lib] is total: a lone surrogate is escaped, a number JSON has no text for is null", () => {
    expect(canonicalJson("\ud83d")).toBe('"\\ud83d"');
    expect(canonicalJson([Number.NaN, Infinity])).toBe("[null,null]");
    expect(canonicalJson(undefined as unknown as Json)).toBe("null");
  });
});

describe("digestOf", () => {
  it("[I5] is the same for equal values and differs for different ones", () => {
    fc.assert(
      fc.property(json, json, (one, other) => {
        expect(digestOf(reordered(one))).toBe(digestOf(one));
        expect(digestOf(one) === digestOf(other)).toBe(canonicalJson(one) === canonicalJson(other));
      }),
    );
  });

  it("[I5] tells thousands of nearly equal values apart and always has the same length", () => {
    const digests = Array.from({ length: 5_000 }, (_, index) => digestOf({ n: index }));
    expect(new Set(digests).size).toBe(5_000);
    expect(new Set(digests.map((digest) => digest.length))).toEqual(new Set([22]));
  });
});

describe("byteLength", () => {
  it("[lib] is the length in UTF-8, lone surrogates counted as their replacement", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        fc.array(fc.constantFrom("\ud83d", "\ude00", "é", "€", "x")),
        (text, parts) => {
          for (const sample of [text, parts.join("")]) expect(byteLength(sample)).toBe(Buffer.byteLength(sample));
        },
      ),
    );
  });
});

describe("valueAt", () => {
  const value: Json = { a: { b: [10, { c: null }] }, "": 1 };

  it("[lib] follows a path through objects and lists", () => {
    expect(valueAt(value, "a.b.0")).toBe(10);
    expect(valueAt(value, "a.b.1.c")).toBeNull();
    expect(valueAt(value, "")).toBe(1);
  });

  it("[lib] is undefined where a step is missing or no own key", () => {
    for (const path of ["x", "a.x", "a.b.7", "a.b.0.c", "a.b.x", "a.constructor", "toString"])
      expect(valueAt(value, path)).toBeUndefined();
    expect(valueAt(undefined, "a")).toBeUndefined();
  });
});

describe("byCodePoint", () => {
  it("[lib] sorts the same on every machine", () => {
    expect(["b", "a", "Z", "é", "a"].toSorted(byCodePoint)).toEqual(["Z", "a", "a", "b", "é"]);
  });
});
