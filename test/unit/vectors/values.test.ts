import { describe, expect, it } from "vitest";
import { DanglingReference, Values } from "../../vectors/values.ts";

describe("values of a vector", () => {
  it("[vectors] references are replaced by given and captured values, at any depth", () => {
    const values = new Values({ graph: { nodes: { a: {} } }, list: [1, { $ref: "given.graph.nodes" }] });
    values.capture("st", { run_id: "r", stages: [{ id: "x" }] });
    expect(
      values.resolve({ g: { $ref: "given.graph" }, id: [{ $ref: "st.stages.0.id" }], l: { $ref: "given.list" } }),
    ).toEqual({
      g: { nodes: { a: {} } },
      id: ["x"],
      l: [1, { a: {} }],
    });
  });

  it("[vectors] a whole return can be referred to by its name", () => {
    const values = new Values({});
    values.capture("f", [1, 2]);
    expect(values.resolve({ $ref: "f" })).toEqual([1, 2]);
  });

  it("[vectors] repetitions are written out, also below given", () => {
    const values = new Values({ big: { $repeat: ["ab", 3] } });
    expect(values.resolve([{ $repeat: ["x", 4] }, { $ref: "given.big" }])).toEqual(["xxxx", "ababab"]);
  });

  it("[vectors] what was captured is data, even where it looks like a reference", () => {
    const values = new Values({});
    values.capture("r", { tools: { $ref: "given.secret" } });
    expect(values.resolve({ $ref: "r" })).toEqual({ tools: { $ref: "given.secret" } });
  });

  it("[vectors] a reference to nothing is an error that names it", () => {
    const values = new Values({ a: {} });
    expect(() => values.resolve({ $ref: "given.a.b" })).toThrow(DanglingReference);
    expect(() => values.resolve({ $ref: "st.run_id" })).toThrow("st.run_id");
  });

  it("[vectors] what is given and was never looked at is known", () => {
    const values = new Values({ a: 1, b: { $ref: "given.c" }, c: 3, d: 4, stage_results: [] });
    values.resolve({ $ref: "given.b" });
    values.surrounding("stage_results");
    expect(values.unread()).toEqual(["a", "d"]);
  });
});
