import { describe, expect, it } from "vitest";
import type { Json } from "../../../src/lib/json.ts";
import { match, matchError } from "../../vectors/matcher.ts";

const lookup = (path: string): Json | undefined =>
  new Map<string, Json>([
    ["a.id", "run_1"],
    ["a.count", 3],
    ["a.record", { x: 1, y: null }],
  ]).get(path);

const pathsOf = (pattern: Json, actual: Json | undefined): readonly string[] =>
  match(pattern, actual, { path: "s1.returns", lookup }).map((difference) => difference.path);

const fits = (pattern: Json, actual: Json | undefined): boolean => pathsOf(pattern, actual).length === 0;

describe("matching plain values", () => {
  it("[vectors] an object matches as a subset and names each field that differs", () => {
    const pattern = { a: 1, b: { c: "x", d: [1, 2] }, e: null };
    expect(fits(pattern, { a: 1, b: { c: "x", d: [1, 2], more: true }, f: 9 })).toBe(true);
    expect(pathsOf(pattern, { a: 2, b: { c: "y", d: [1, 3] }, e: 0 })).toEqual([
      "s1.returns.a",
      "s1.returns.b.c",
      "s1.returns.b.d.1",
      "s1.returns.e",
    ]);
  });

  it("[vectors] a field every object inherits is not there", () => {
    expect(fits({ toString: null }, {})).toBe(true);
    expect(fits({ constructor: { $any: true } }, {})).toBe(false);
  });

  it("[vectors] an empty object asks for any object, an empty list for an empty list", () => {
    expect(fits({}, { a: 1 })).toBe(true);
    expect(fits({}, [])).toBe(false);
    expect(fits({}, null)).toBe(false);
    expect(fits([], [])).toBe(true);
    expect(fits([], [1])).toBe(false);
    expect(fits([], null)).toBe(false);
  });

  it("[vectors] lists match in order and length", () => {
    expect(fits([1, { a: 1 }], [1, { a: 1, b: 2 }])).toBe(true);
    expect(pathsOf([1, 2], [1])).toEqual(["s1.returns"]);
    expect(pathsOf([1, 2], [2, 1])).toEqual(["s1.returns.0", "s1.returns.1"]);
  });

  it("[vectors] null is null or absent, and nothing else", () => {
    expect(fits(null, null)).toBe(true);
    expect(fits(null, undefined)).toBe(true);
    for (const value of [false, 0, "", [], {}]) expect(fits(null, value)).toBe(false);
  });

  it("[vectors] texts, numbers and truth values are never converted", () => {
    expect(fits(1, "1")).toBe(false);
    expect(fits(true, 1)).toBe(false);
    expect(fits("", null)).toBe(false);
    expect(fits(1.0, 1)).toBe(true);
  });
});

describe("patterns", () => {
  const cases: readonly (readonly [
    name: string,
    pattern: Json,
    good: readonly Json[],
    bad: readonly (Json | undefined)[],
  ])[] = [
    ["$any", { $any: true }, [0, "", false, []], [null, undefined]],
    ["$contains", { $contains: "b" }, ["abc"], ["ac", null, ["b"]]],
    ["$contains all", { $contains: ["a", "c"] }, ["abc"], ["ab"]],
    ["$not_contains", { $not_contains: ["x", "y"] }, ["abc"], ["axc", null]],
    ["$prefix", { $prefix: "ab" }, ["abc"], ["cab", null]],
    ["$suffix", { $suffix: "bc" }, ["abc"], ["bca"]],
    ["$regex", { $regex: "^a[\\s\\S]c$" }, ["abc", "a\nc"], ["abcd", 5]],
    ["$len of a text", { $len: 2 }, ["ab", "\u{1f600}b", [1, 2], { a: 1, b: 2 }], ["a", [], 2, null]],
    ["$gt", { $gt: 1 }, [2], [1, "2", null]],
    ["$gte", { $gte: 1 }, [1], [0]],
    ["$lt", { $lt: 1 }, [0], [1]],
    ["$lte", { $lte: 1 }, [1], [2]],
    ["$includes", { $includes: [1, { a: 1 }] }, [[{ a: 1, b: 2 }, 1, 3]], [[1], null, "1"]],
    ["$excludes", { $excludes: [{ a: 1 }] }, [[], [{ a: 2 }]], [[{ a: 1, b: 2 }], null]],
    ["$ne", { $ne: "a" }, ["b", null], ["a"]],
    ["$ne of a reference", { $ne: { $ref: "a.id" } }, ["run_2"], ["run_1"]],
    ["$ref", { $ref: "a.id" }, ["run_1"], ["run_2", null]],
    ["$ref to an object", { $ref: "a.record" }, [{ x: 1 }, { x: 1, y: null }], [{ x: 1, z: 2 }, {}]],
    ["$tmpl", { $tmpl: "{a.id}:n:{a.count}" }, ["run_1:n:3"], ["run_1:n:4", null]],
    ["$repeat", { $repeat: ["ab", 3] }, ["ababab"], ["abab"]],
    ["several keys", { $prefix: "a", $suffix: "c", $len: 3 }, ["abc"], ["abbc", "ab"]],
    ["a pattern with fields", { $len: 2, a: 1 }, [{ a: 1, b: 2 }], [{ a: 1 }, { a: 2, b: 2 }]],
  ];

  it.each(cases)("[vectors] %s", (_name, pattern, good, bad) => {
    for (const value of good) expect(fits(pattern, value), JSON.stringify(value)).toBe(true);
    for (const value of bad) expect(fits(pattern, value), JSON.stringify(value)).toBe(false);
  });

  it("[vectors] $unordered gives every pattern an element of its own", () => {
    const pattern = { $unordered: [{ $any: true }, { a: 1 }, { a: { $any: true } }] };
    expect(fits(pattern, [{ a: 1 }, { a: 2 }, 3])).toBe(true);
    expect(fits(pattern, [{ a: 2 }, { a: 1 }, 3])).toBe(true);
    expect(fits(pattern, [{ a: 2 }, { a: 2 }, 3])).toBe(false);
    expect(fits({ $unordered: [1, 1] }, [1, 2])).toBe(false);
    expect(fits({ $unordered: [1] }, [1, 1])).toBe(false);
  });

  it("[vectors] a pattern that is not known never matches", () => {
    expect(fits({ $nearly: 1 }, 1)).toBe(false);
  });

  it("[vectors] a reference to what nothing has captured never matches, not even nothing", () => {
    expect(fits({ $ref: "b.id" }, null)).toBe(false);
    expect(fits({ $tmpl: "{b.id}" }, "{b.id}")).toBe(false);
  });
});

const differences = (pattern: Json, message: string, kind = "generic"): readonly string[] =>
  matchError(pattern, { message, kind }, { path: "s1.error", lookup }).map((difference) => difference.path);

describe("matching errors", () => {
  it("[vectors] an optional leading `Runtime error: ` makes no difference on either side", () => {
    expect(differences({ message: "no" }, "Runtime error: no")).toEqual([]);
    expect(differences({ message: "Runtime error: no" }, "no")).toEqual([]);
    expect(differences({ message: { $prefix: "no" } }, "Runtime error: no")).toEqual([]);
    expect(differences({ message: "no" }, "Thrown: no")).toEqual(["s1.error.message"]);
  });

  it("[vectors] an implementation may name its own operation before the colon, and only there", () => {
    const message = "__host_workflow_stage_complete: no prepared stage";
    expect(differences({ message }, "complete: no prepared stage")).toEqual([]);
    expect(differences({ message }, "complete: no stage")).toEqual(["s1.error.message"]);
    expect(differences({ message }, "no prepared stage")).toEqual(["s1.error.message"]);
    expect(differences({ message: "workflow_execute: missing node x" }, "run: missing node x")).toEqual([
      "s1.error.message",
    ]);
  });

  it("[vectors] the kind and every other field of an error must fit too", () => {
    expect(differences({ kind: "json" }, "x", "json")).toEqual([]);
    expect(differences({ message: "x", kind: "json" }, "x", "unsupported")).toEqual(["s1.error.kind"]);
    expect(differences({ message: "x", reviewers: [] }, "x")).toEqual(["s1.error.reviewers"]);
  });
});
