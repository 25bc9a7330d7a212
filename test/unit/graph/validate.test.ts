import { describe, expect, it } from "vitest";
import { validateGraph } from "../../../src/engine/graph/validate.ts";
import { BUILTIN_CEILING } from "../../../src/engine/policy/capability.ts";
import { graphOf, policyOf } from "./fixture.ts";

const report = (document: unknown, ceiling: unknown = null) =>
  validateGraph(graphOf(document), ceiling === null ? null : policyOf(ceiling));

const hooked = (pattern: string) => ({ kind: "stage", mode: "agent", tool_hooks: [{ pattern: "*" }, { pattern }] });

const hookErrors = (pattern: string) => report({ entry: "a", nodes: { a: hooked(pattern) } }).errors;

describe("validateGraph", () => {
  it("[W-17.1] refuses tool hooks whose pattern cannot be read", () => {
    expect(hookErrors("tool.name =~ ^wo")).toEqual([]);
    expect(hookErrors("tool.name =~ (")).toEqual([expect.stringContaining("node a: tool_hooks[1]: ")]);
  });

  it("[W-3] reports structural errors and warnings in order, with the reachable set", () => {
    const result = report({
      entry: "gate",
      nodes: {
        gate: { kind: "condition" },
        f: { kind: "fork" },
        m: { kind: "map" },
        r: { kind: "reduce" },
        j: { kind: "join" },
        bad: { input_contract: { min_inputs: 3, max_inputs: 1 } },
      },
      edges: [
        { from: "gate", to: "f", branch: "true" },
        { from: "f", to: "m" },
        { from: "m", to: "ghost" },
      ],
    });
    expect(result).toEqual({
      valid: false,
      errors: [
        "edge.to references unknown node: ghost",
        "node bad: input contract min_inputs exceeds max_inputs",
        "node f: fork nodes require at least two outgoing edges",
        "node gate: condition nodes require both 'true' and 'false' branch edges",
        "node m: map nodes require items, item_artifact_kind, or input_contract.input_kinds",
      ],
      warnings: [
        "node is unreachable: bad",
        "node is unreachable: j",
        "node is unreachable: r",
        "node j: join node has fewer than two incoming edges",
        "node r: reduce node has no input_contract.input_kinds; it will consume all available artifacts",
      ],
      reachable_nodes: ["f", "gate", "ghost", "m"],
    });
  });

  it("[W-3] an entry that does not exist comes first, then both ends of each edge", () => {
    const result = report({
      entry: "x",
      nodes: { a: {} },
      edges: [
        { from: "p", to: "q" },
        { from: "a", to: "r" },
      ],
    });
    expect(result.errors).toEqual([
      "entry node does not exist: x",
      "edge.from references unknown node: p",
      "edge.to references unknown node: q",
      "edge.to references unknown node: r",
    ]);
    expect(result.reachable_nodes).toEqual(["x"]);
    expect(report({ entry: "toString", nodes: { a: {} } }).errors).toEqual(["entry node does not exist: toString"]);
  });

  it("[W-3] a sound graph with a cycle, a fork, a join and a condition is valid", () => {
    const result = report({
      entry: "c",
      nodes: {
        c: { kind: "condition", input_contract: { min_inputs: 1, max_inputs: 1 } },
        f: { kind: "fork", input_contract: { min_inputs: 1 } },
        j: { kind: "join", input_contract: { max_inputs: 1 } },
        r: { kind: "reduce", input_contract: { input_kinds: ["x"] } },
        odd: { kind: "whatever" },
      },
      edges: [
        { from: "c", to: "f", branch: "true" },
        { from: "c", to: "c", branch: "false" },
        { from: "f", to: "odd" },
        { from: "f", to: "r" },
        { from: "odd", to: "j" },
        { from: "r", to: "j" },
      ],
    });
    expect(result).toEqual({ valid: true, errors: [], warnings: [], reachable_nodes: ["c", "f", "j", "odd", "r"] });
  });

  it.each([
    [{ map_policy: { items: [1] } }],
    [{ map_policy: { item_artifact_kind: "k" } }],
    [{ input_contract: { input_kinds: ["k"] } }],
  ])("[W-3] a map with %j says what it maps over", (fields) => {
    expect(report({ nodes: { m: { kind: "map", ...fields } } }).errors).toEqual([]);
  });

  it("[W-3] what this project adds comes after everything else, also for a stage that a worker carries out", () => {
    const nodes = {
      s: { kind: "subagent", mode: "http" },
      m: { kind: "map", map_policy: { items: [1] } },
      a: { mode: "http" },
    };
    expect(report({ entry: "z", nodes }).errors).toEqual([
      "entry node does not exist: z",
      "node a: http stages require http.url",
      "node s: http stages require http.url",
    ]);
  });

  it.each([
    [{ mode: "sleep", sleep: { ms: 5 } }, []],
    [{ mode: "sleep", sleep: { until: "2026-01-01T00:00:00Z" } }, []],
    [{ mode: "sleep" }, ["node s: sleep stages require either sleep.ms or a moment (RFC 3339) in sleep.until"]],
    [
      { mode: "sleep", sleep: { until: "tomorrow" } },
      ["node s: sleep stages require either sleep.ms or a moment (RFC 3339) in sleep.until"],
    ],
    [{ mode: "wait", wait: { message: "approved" } }, []],
    [{ mode: "wait" }, ["node s: wait stages require the name of a message in wait.message"]],
  ])("[W-6.10] a stage that waits says for what: %j", (node, errors) => {
    expect(report({ nodes: { s: node } }).errors).toEqual(errors);
  });

  it("[W-6.10] http and function stages need their target; static kinds do not", () => {
    const nodes = {
      a: { mode: "http", http: { method: "GET" } },
      b: { mode: "http", http: { url: "https://example.com" } },
      c: { mode: "function" },
      d: { mode: "function", function: "f" },
      e: { kind: "verify", mode: "http" },
    };
    expect(report({ nodes }).errors).toEqual([
      "node a: http stages require http.url",
      "node c: function stages require the name of a registered function",
    ]);
  });
});

describe("validateGraph under a ceiling", () => {
  const ceiling = { tools: ["read"], capabilities: { workspace: ["read_text"] }, side_effect_level: "read_only" };

  it("[W-3] each node that asks for more is reported, whatever the graph's own policy says", () => {
    const graph = {
      entry: "act",
      capability_policy: { capabilities: { workspace: ["read_text"] }, side_effect_level: "read_only" },
      nodes: {
        act: {
          mode: "agent",
          capability_policy: {
            capabilities: { workspace: ["write_text"], process: ["exec"] },
            side_effect_level: "process_exec",
          },
        },
      },
    };
    expect(report(graph, ceiling).errors).toEqual(["node act: requested capability exceeds host ceiling: process"]);
    expect(report(graph)).toMatchObject({ valid: true, errors: [] });
    expect(validateGraph(graphOf(graph), BUILTIN_CEILING).valid).toBe(true);
  });

  it("[W-3] the graph's policy comes first, without a prefix", () => {
    const graph = {
      entry: "a",
      capability_policy: { tools: ["run"] },
      nodes: { a: { capability_policy: { tools: ["write"] } } },
    };
    expect(report(graph, ceiling).errors).toEqual([
      "requested tools exceed host ceiling: run",
      "node a: requested tools exceed host ceiling: write",
    ]);
  });
});

describe("tool-surface diagnostics of a graph", () => {
  it("[W-3.1] are given once for the graph and once for each node", () => {
    const tool = { name: "net", parameters: {}, policy: { side_effect_level: "network", kind: "fetch" } };
    const result = report({
      capability_policy: { side_effect_level: "read_only", tool_annotations: { known: { side_effect_level: "none" } } },
      nodes: {
        a: { tools: [tool], capability_policy: { side_effect_level: "none" } },
        b: { tools: tool, system: "run_it()" },
      },
    });
    const code = "TOOL_SURFACE_SIDE_EFFECT_CEILING_EXCEEDED";
    expect(result.errors).toEqual([
      `${code}: workflow: tool 'net' requires side-effect level 'network' but policy ceiling is 'read_only'`,
      `${code}: node a: tool 'net' requires side-effect level 'network' but policy ceiling is 'none'`,
    ]);
    expect(result.warnings).toEqual([
      "node is unreachable: b",
      "TOOL_SURFACE_MISSING_SCHEMA: workflow: active tool 'known' has no parameter schema",
      "TOOL_SURFACE_MISSING_SIDE_EFFECT_LEVEL: workflow: active tool 'known' has no side-effect level",
      "TOOL_SURFACE_UNKNOWN_PROMPT_TOOL: node b: prompt references tool 'run_it' which is not active",
    ]);
  });

  it("[W-6.6] a map whose branches would only wait is refused: nobody would execute them", () => {
    const map = { kind: "map", map_policy: { items: ["x"] } };
    for (const mode of ["sleep", "wait"])
      expect(report({ nodes: { a: { ...map, mode } } }).errors).toEqual([
        `node a: the branches of a map cannot wait; mode ${mode} is for stages`,
      ]);
    expect(report({ nodes: { a: { ...map, mode: "function", function: "f" } } }).errors).toEqual([]);
  });

  it("[W-3.1] tools in a registry are not inspected", () => {
    const tools = { _type: "tool_registry", tools: [{ name: "bare" }] };
    expect(report({ nodes: { a: { tools } } }).warnings).toEqual([]);
    expect(report({ nodes: { a: { tools: [{ name: "bare" }] } } }).warnings).toHaveLength(4);
  });
});

const chain = (count: number) => ({
  entry: "n0",
  nodes: Object.fromEntries(Array.from({ length: count }, (_, index) => [`n${index}`, {}])),
  edges: Array.from({ length: 20_000 }, (_, index) => ({ from: `n${index % count}`, to: `n${(index + 1) % count}` })),
});

describe("large graphs", () => {
  it("[W-3] a chain of 5,000 nodes with 20,000 edges is walked without recursion", () => {
    const result = report(chain(5000), {});
    expect(result.valid).toBe(true);
    expect(result.reachable_nodes).toHaveLength(5000);
  });
});
