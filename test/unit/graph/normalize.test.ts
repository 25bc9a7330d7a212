import { describe, expect, it } from "vitest";
import { nodeIds, nodeOf, normalizeGraph } from "../../../src/engine/graph/normalize.ts";
import { decodeGraph } from "../../../src/schema/graph.ts";
import { decoded, errorOf, graphOf, testContext } from "./fixture.ts";

describe("normalizeGraph", () => {
  it("[W-2] fills kind, strategies, attempts and output kind by node kind; the entry is the first node by name", () => {
    const graph = graphOf({
      nodes: {
        zeta: {},
        beta: { kind: "verify" },
        red: { kind: "reduce", reduce_policy: { output_kind: "digest" } },
        red2: { kind: "reduce" },
        mp: { kind: "map", map_policy: { output_kind: "note" } },
        mp2: { kind: "map" },
        esc: { kind: "escalation" },
        cust: { output_contract: { output_kinds: ["plan"] } },
      },
    });
    expect(graph).toMatchObject({ _type: "workflow_graph", id: "workflow_1", entry: "beta", version: 1, edges: [] });
    expect(graph.nodes["zeta"]).toMatchObject({
      id: "zeta",
      kind: "stage",
      join_policy: { strategy: "all" },
      reduce_policy: { strategy: "concat" },
      retry_policy: { max_attempts: 1 },
    });
    const outputKinds = Object.fromEntries(
      nodeIds(graph).map((id) => [id, nodeOf(graph, id)?.output_contract.output_kinds]),
    );
    expect(outputKinds).toEqual({
      beta: ["verification_result"],
      cust: ["plan"],
      esc: ["plan"],
      mp: ["note"],
      mp2: ["artifact"],
      red: ["digest"],
      red2: ["summary"],
      zeta: ["artifact"],
    });
  });

  it("[W-2] keeps what is set", () => {
    const document = {
      _type: "mine",
      id: "wf",
      version: 7,
      entry: "a",
      nodes: {
        a: {
          id: "other",
          kind: "join",
          join_policy: { strategy: "first" },
          reduce_policy: { strategy: "x" },
          retry_policy: { max_attempts: 4 },
        },
      },
    };
    expect(graphOf(document)).toMatchObject(document);
  });

  it("[W-2] an empty graph enters at act", () => {
    expect(graphOf({})).toMatchObject({ entry: "act", nodes: {}, edges: [] });
  });

  it("[W-2] is idempotent and mints an id only when there is none", () => {
    const context = testContext();
    const once = normalizeGraph(decoded({ nodes: { b: {}, a: {} } }), context);
    expect(normalizeGraph(once, context)).toEqual(once);
    expect(context.nextId("x")).toBe("x_2");
  });

  it("[W-0.1] nodes are walked by code point even where ids are whole numbers", () => {
    const graph = graphOf({ nodes: { 9: {}, 10: {}, a: {}, B: {} } });
    expect(nodeIds(graph)).toEqual(["10", "9", "B", "a"]);
    expect(nodeIds(graph)).toBe(nodeIds(graph));
    expect(graph.entry).toBe("10");
    expect(nodeOf(graph, "toString")).toBeUndefined();
  });
});

describe("the older act/verify/repair shape", () => {
  it("[W-2] is upgraded into a graph with edges", () => {
    const graph = graphOf({
      name: "legacy",
      provider: "mock",
      act: { mode: "llm" },
      verify: { kind: "verify", command: "make test", expect_status: 0 },
      repair: { mode: "agent" },
    });
    expect(graph).toMatchObject({ _type: "workflow_graph", version: 1, entry: "act", name: "legacy" });
    expect(graph).not.toHaveProperty("legacy");
    expect(graph.nodes["act"]).toMatchObject({ kind: "stage", mode: "llm", model_policy: { provider: "mock" } });
    expect(graph.nodes["verify"]).toMatchObject({
      id: "verify",
      kind: "verify",
      verify: { assert_text: null, command: "make test", expect_status: 0, expect_text: null },
      output_contract: { output_kinds: ["verification_result"] },
    });
    expect(graph.nodes["repair"]).toMatchObject({ kind: "stage", mode: "agent" });
    expect(graph.edges).toEqual([
      { from: "act", to: "verify", branch: null, label: null },
      { from: "verify", to: "repair", branch: "failed", label: null },
      { from: "repair", to: "verify", branch: "retry", label: null },
    ]);
  });

  it("[W-2] settings of the top level fill what nodes lack, ignoring empty and unfit values", () => {
    const settings = {
      provider: "p",
      model: "m",
      tier: "small",
      temperature: 0.5,
      max_tokens: 10,
      mode: "agent",
      done_sentinel: "DONE",
    };
    const set = { mode: "llm", done_sentinel: "X", model_policy: { provider: "own", temperature: 0 } };
    const graph = graphOf({ ...settings, act: set, repair: {} });
    expect(graph.nodes["act"]).toMatchObject({
      mode: "llm",
      done_sentinel: "X",
      model_policy: { provider: "own", model: "m", model_tier: "small", temperature: 0, max_tokens: 10 },
    });
    expect(graph.nodes["repair"]).toMatchObject({
      mode: "agent",
      done_sentinel: "DONE",
      model_policy: { provider: "p", model_tier: "small", temperature: 0.5 },
    });
    const unfit = graphOf({
      provider: "",
      model: 4,
      model_tier: "big",
      tier: "x",
      temperature: "hot",
      max_tokens: 1.5,
      act: {},
    });
    expect(unfit.nodes["act"]?.model_policy).toMatchObject({
      provider: null,
      model: null,
      model_tier: "big",
      temperature: null,
      max_tokens: null,
    });
  });

  it("[W-2] makes no edges without act, without verify, or over given ones", () => {
    expect(graphOf({ verify: {}, repair: {} })).toMatchObject({ entry: "repair", edges: [] });
    expect(graphOf({ act: {}, repair: {} }).edges).toEqual([]);
    expect(graphOf({ act: {}, verify: {} }).edges).toMatchObject([{ from: "act", to: "verify" }]);
    const given = graphOf({ entry: "verify", act: {}, verify: {}, edges: [{ from: "verify", to: "act" }] });
    expect(given).toMatchObject({ entry: "verify", edges: [{ from: "verify", to: "act" }] });
  });

  it("[W-2] builds a verify configuration only for verify, and only from something", () => {
    const graph = graphOf({ act: { command: "x" }, verify: {} });
    expect([graph.nodes["act"]?.verify, graph.nodes["verify"]?.verify]).toEqual([null, null]);
    expect(graph.nodes["verify"]?.kind).toBe("verify");
    expect(graphOf({ verify: { kind: "stage", verify: { a: 1 }, command: "x" } }).nodes["verify"]).toMatchObject({
      kind: "stage",
      verify: { a: 1 },
    });
  });

  it("[W-2] is only looked at when there are no nodes, and its errors have paths", () => {
    expect(Object.keys(graphOf({ nodes: { a: {} }, act: 5 }).nodes)).toEqual(["a"]);
    expect(errorOf(decodeGraph({ act: { kind: null } })).issues[0]?.path).toBe("act.kind");
    expect(errorOf(decodeGraph({ verify: null })).issues[0]?.path).toBe("verify");
  });
});
