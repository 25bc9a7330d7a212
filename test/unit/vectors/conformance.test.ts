import { describe, expect, it } from "vitest";
import { runVector } from "../../vectors/conformance.ts";
import { OperationFailure, type Operations } from "../../vectors/operation.ts";
import { linesOf, summaryOf, verdictOf } from "../../vectors/report.ts";
import { parseVector, type Vector } from "../../vectors/vector.ts";

const OPERATIONS: Operations = {
  echo: (_system, args) => args["value"],
  refuse: (_system, args) => {
    throw new OperationFailure(String(args["text"]), "json");
  },
  crash: () => {
    throw new TypeError("a bug");
  },
};

interface Document {
  readonly given?: object;
  readonly when: readonly object[];
  readonly steps: object;
  readonly strength?: string;
}

const vectorOf = ({ given = {}, when, steps, strength = "must" }: Document): Vector =>
  parseVector(JSON.stringify({ id: "t/v", title: "t", strength, given, when, expect: { steps } }));

const differencesOf = async (document: Document): Promise<readonly string[]> => {
  const finding = await runVector(vectorOf(document), OPERATIONS);
  return finding.differences.map(({ path, text }) => `${path}: ${text}`);
};

describe("running a vector", () => {
  it("[vectors] a step sees what earlier steps have captured, and so does what is expected of it", async () => {
    const when = [
      { label: "s1", op: "echo", value: { id: "x" }, as: "one" },
      { label: "s2", op: "echo", value: { $ref: "one.id" }, as: "two" },
    ];
    expect(await differencesOf({ when, steps: { s2: { returns: { $ref: "two" } } } })).toEqual([]);
  });

  it("[vectors] an operation nobody knows fails the vector without running any of it", async () => {
    const when = [
      { label: "s1", op: "crash" },
      { label: "s2", op: "conjure" },
    ];
    expect(await differencesOf({ when, steps: {} })).toEqual(["s2: unknown operation conjure"]);
  });

  it("[vectors] an expectation without a step fails the vector", async () => {
    const when = [{ label: "s1", op: "echo", value: 1 }];
    expect(await differencesOf({ when, steps: { s9: { returns: 1 } } })).toEqual(["s9: an expectation without a step"]);
  });

  it("[vectors] a scripted surrounding that nothing has read fails the vector, unreferenced data does not", async () => {
    const when = [{ label: "s1", op: "echo", value: 1 }];
    const finding = await runVector(vectorOf({ given: { routes: [], spare: 1 }, when, steps: {} }), OPERATIONS);
    expect(finding.differences).toEqual([{ path: "given.routes", text: "was never read" }]);
    expect(finding.unreferenced).toEqual(["spare"]);
  });

  it("[vectors] a step without an expectation must succeed", async () => {
    const when = [{ label: "s1", op: "refuse", text: "no" }];
    expect(await differencesOf({ when, steps: {} })).toEqual(["s1: failed: no"]);
  });

  it("[vectors] an expected error must come, and a return must not be an error", async () => {
    const returned = [{ label: "s1", op: "echo", value: 1 }];
    expect(await differencesOf({ when: returned, steps: { s1: { error: { message: "no" } } } })).toHaveLength(1);
    const refused = [{ label: "s1", op: "refuse", text: "no" }];
    expect(await differencesOf({ when: refused, steps: { s1: { error: { message: "no", kind: "json" } } } })).toEqual(
      [],
    );
    expect(await differencesOf({ when: refused, steps: { s1: { returns: null } } })).toEqual(["s1: failed: no"]);
  });

  it("[vectors] a crash is never taken for an expected error", async () => {
    const when = [{ label: "s1", op: "crash" }];
    const found = await differencesOf({ when, steps: { s1: { error: { message: { $any: true } } } } });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain("a bug");
  });
});

describe("the report", () => {
  const when = [{ label: "s1", op: "echo", value: 1 }];
  const wrong = { s1: { returns: 2 } };

  it("[vectors] a quirk and a listed deviation are reported and do not count as failed", async () => {
    const must = vectorOf({ when, steps: wrong });
    const quirk = vectorOf({ when, steps: wrong, strength: "quirk" });
    const finding = await runVector(must, OPERATIONS);
    expect(verdictOf(must, finding, {})).toBe("failed");
    expect(verdictOf(quirk, finding, {})).toBe("quirk");
    expect(verdictOf(must, finding, { "t/v": "a reason" })).toBe("deviated");
    expect(linesOf(must, finding, { "t/v": "a reason" })).toEqual([
      "DEVIATED t/v: t (a reason)",
      "    s1.returns: expected 2, got 1",
    ]);
  });

  it("[vectors] no listing excuses an unknown operation, an unread script or a crash", async () => {
    const vectors = [
      vectorOf({ when: [{ label: "s1", op: "conjure" }], steps: {}, strength: "quirk" }),
      vectorOf({ when: [{ label: "s1", op: "crash" }], steps: {}, strength: "quirk" }),
      vectorOf({ given: { routes: [] }, when, steps: {}, strength: "quirk" }),
    ];
    for (const vector of vectors) {
      const finding = await runVector(vector, OPERATIONS);
      expect(verdictOf(vector, finding, { "t/v": "a reason" })).toBe("failed");
    }
  });

  it("[vectors] a vector that passes takes no line, unless it is listed as deviated", async () => {
    const vector = vectorOf({ when, steps: { s1: { returns: 1 } } });
    const finding = await runVector(vector, OPERATIONS);
    expect(linesOf(vector, finding, {})).toEqual([]);
    expect(linesOf(vector, finding, { "t/v": "a reason" })).toHaveLength(1);
  });

  it("[vectors] the last line counts what passed and what failed", () => {
    expect(summaryOf(["passed", "failed", "passed", "quirk", "deviated"])).toEqual([
      "1 deviated, 1 quirks differ",
      "2 passed, 1 failed",
    ]);
  });
});

describe("reading a vector", () => {
  it("[vectors] a document that is no vector is refused with what is wrong", () => {
    expect(() => parseVector("[]")).toThrow("must be an object");
    expect(() => vectorOf({ when: [], steps: {} })).toThrow("list of steps");
    expect(() => vectorOf({ when: [{ label: "a", op: "echo" }], steps: {}, strength: "maybe" })).toThrow("strength");
    expect(() => vectorOf({ when: [{ label: "a", op: "echo" }], steps: { a: { return: 1 } } })).toThrow("neither");
  });
});
