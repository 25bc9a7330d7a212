import { describe, expect, it } from "vitest";
import { MAX_NESTING, payloadExcerpt } from "../../../src/schema/decode.ts";
import { decodeEdge, decodeGraph, decodeNode } from "../../../src/schema/graph.ts";
import {
  decodeApprovalPolicy,
  decodeAutoCompactPolicy,
  decodeCapabilityPolicy,
  decodeContextPolicy,
  decodeModelPolicy,
} from "../../../src/schema/policy.ts";
import { decoded, errorOf, graphOf, nodeFrom, valueOf } from "./fixture.ts";

const nested = (levels: number): unknown => {
  let value: unknown = 1;
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
};

const nodes = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`n${index}`, {}]));

const edges = (count: number) => Array.from({ length: count }, () => ({ from: "a", to: "b" }));

describe("decodeGraph", () => {
  it("[W-0.1] missing fields get defaults and unknown fields are ignored", () => {
    const graph = decoded({ unknown: 1, nodes: { a: { surprise: true } } });
    expect(graph).toMatchObject({ _type: "", id: "", name: null, version: 0, entry: "", edges: [], audit_log: [] });
    expect(graph).not.toHaveProperty("unknown");
    expect(graph.nodes["a"]).not.toHaveProperty("surprise");
    expect(graph.nodes["a"]).toMatchObject({
      id: null,
      kind: "",
      tools: null,
      verify: null,
      exit_when_verified: false,
      model_policy: { provider: null, native_tool_fallback: "allow", turn_policy: null },
      auto_compact: { enabled: false, token_threshold: null },
      capability_policy: { tools: [], capabilities: {}, side_effect_level: null, tool_annotations: {} },
      input_contract: { input_kinds: [], min_inputs: null, schema: null },
      branch_semantics: { success: null, escalation: null },
    });
  });

  it("[W-0.1] extras are present only where given", () => {
    const extras = ["context_assembler", "http", "function", "input", "timeout_ms", "script"];
    for (const extra of extras) expect(decoded({ nodes: { a: {} } }).nodes["a"]).not.toHaveProperty(extra);
    const node = {
      context_assembler: { x: 1 },
      http: { url: "https://example.com", body: [1], headers: { a: "b" }, timeout_ms: 5, method: "PUT" },
      function: "f",
      input: null,
      timeout_ms: 7,
      script: [1],
      model_policy: { session_id: "s", thinking: { on: true }, top_p: 0.5, base_url: "u", skills: [], skill_match: {} },
      auto_compact: { compact_keep_last: 3, summarize_prompt: "p", mask_callback: "m" },
    };
    expect(graphOf({ nodes: { a: node } }).nodes["a"]).toMatchObject(node);
  });

  it.each([
    [{ nodes: { a: { kind: null } } }, "nodes.a.kind"],
    [{ metadata: null }, "metadata"],
    [{ edges: null }, "edges"],
    [{ nodes: null }, "nodes"],
    [{ edges: [{ from: "a", to: 4 }] }, "edges[0].to"],
    [{ nodes: { a: { model_policy: null } } }, "nodes.a.model_policy"],
    [{ version: -1 }, "version"],
    [
      { nodes: { a: { capability_policy: { tool_annotations: { t: { kind: "odd" } } } } } },
      "nodes.a.capability_policy.tool_annotations.t.kind",
    ],
    [[], "."],
    [null, "."],
    ["text", "."],
  ])("[W-0.1] a field that does not fit is a decode error with its path %#", (document, path) => {
    const error = errorOf(decodeGraph(document));
    expect(error.issues[0]?.path).toBe(path);
    const start = `orchestration parse error at ${path}: ${error.issues[0]?.message} | payload=`;
    expect(error.message).toBe(`${start}${JSON.stringify(document)}`);
  });

  it("[W-0.1] null is fine for optional fields", () => {
    const node = { id: null, mode: null, http: null, timeout_ms: null, model_policy: { session_id: null } };
    expect(decodeGraph({ name: null, nodes: { a: node } }).ok).toBe(true);
  });

  it("[W-0.1] the payload of an error is cut after 600 bytes, at a whole character", () => {
    const error = errorOf(decodeGraph({ id: "é".repeat(400), version: "x" }));
    const payload = error.message.slice(error.message.indexOf("payload=") + 8);
    expect(payload).toBe(`{"id":"${"é".repeat(296)}...`);
    expect(payloadExcerpt("x".repeat(598))).toBe(`"${"x".repeat(598)}"`);
    expect(payloadExcerpt("x".repeat(599))).toBe(`"${"x".repeat(599)}...`);
    expect(payloadExcerpt("€😀")).toBe('"€😀"');
    expect(payloadExcerpt({ a: [1, true, null, "x"], b: {} })).toBe('{"a":[1,true,null,"x"],"b":{}}');
    expect(payloadExcerpt(undefined)).toBe("null");
    expect(payloadExcerpt(10n)).toBe("10");
  });

  it("[W-0.1] a document has at most 5,000 nodes and 20,000 edges", () => {
    expect(decodeGraph({ nodes: nodes(5000), edges: edges(20_000) }).ok).toBe(true);
    expect(errorOf(decodeGraph({ nodes: nodes(5001) })).issues).toEqual([
      { path: "nodes", message: "must have at most 5000 nodes" },
    ]);
    expect(errorOf(decodeGraph({ edges: edges(20_001) })).issues).toEqual([
      { path: "edges", message: "must have at most 20000 edges" },
    ]);
  });

  it.each([
    ["", "must have 1 to 200 characters"],
    ["a".repeat(201), "must have 1 to 200 characters"],
    ["a".repeat(5000), "must have 1 to 200 characters"],
    ["a\u0000", "must not contain control characters"],
    ["a\u007f", "must not contain control characters"],
    ["a\u0085", "must not contain control characters"],
    ["a\u2028", "must not contain control characters"],
    ["a\ud800", "must not contain lone surrogates"],
    ["__proto__", "is a reserved name"],
    ["constructor", "is a reserved name"],
    ["prototype", "is a reserved name"],
  ])("[W-1.1] the node id %j is refused", (id, problem) => {
    const document: unknown = JSON.parse(`{"nodes":{${JSON.stringify(id)}:{}}}`);
    const [issue] = errorOf(decodeGraph(document)).issues;
    expect(issue?.message).toBe(`node id ${problem}`);
    expect(issue?.path).toMatch(/^nodes\.[\u0020-\u007e]*$/);
    expect(errorOf(decodeGraph({ edges: [{ from: id, to: "b" }] })).issues).toEqual([
      { path: "edges[0].from", message: problem },
    ]);
    expect(errorOf(decodeNode({ id }, "workflow_insert_node")).issues).toEqual([{ path: "id", message: problem }]);
  });

  it("[W-1.1] ids of 200 characters, also outside the first plane, are fine", () => {
    expect(decodeGraph({ nodes: { ["😀".repeat(200)]: {} }, edges: [{ from: "a b/c", to: "ü" }] }).ok).toBe(true);
  });

  it("[W-1.2] an edge needs both ends", () => {
    const issues = errorOf(decodeGraph({ edges: [{ from: "a" }] })).issues;
    expect(issues).toEqual([{ path: "edges[0].to", message: "must have 1 to 200 characters" }]);
    expect(errorOf(decodeEdge({ to: "a" }, "workflow_insert_node edge")).message).toMatch(
      /^workflow_insert_node edge parse error at from: must have 1 to 200 characters \| payload=\{"to":"a"\}$/,
    );
    expect(valueOf(decodeEdge({ from: "a", to: "b" }, "x"))).toEqual({ from: "a", to: "b", branch: null, label: null });
  });

  it("[W-0.1] nesting is limited to 64 levels and deep input cannot exhaust the stack", () => {
    const holder = (levels: number) => ({ metadata: { deep: nested(levels) } });
    expect(decodeGraph(holder(MAX_NESTING - 2)).ok).toBe(true);
    const error = errorOf(decodeGraph(holder(MAX_NESTING - 1)));
    expect(error.issues[0]?.message).toBe("nested more than 64 levels deep");
    expect(error.issues[0]?.path).toMatch(/^metadata\.deep[[.]/);
    expect(errorOf(decodeGraph(nested(200_000))).issues[0]?.message).toBe("nested more than 64 levels deep");
    expect(errorOf(decodeNode({ input: nested(200_000) }, "x")).message).toMatch(/^x parse error at input/);
    expect(errorOf(decodeCapabilityPolicy(nested(200_000))).message).toMatch(/^policy parse error: /);
  });

  it("[W-0.1] a long path and many issues are cut", () => {
    const nodes = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`n${index}`, { kind: 1 }]));
    expect(errorOf(decodeGraph({ nodes })).issues).toHaveLength(50);
    const [issue] = errorOf(decodeGraph({ metadata: { ["k".repeat(1000)]: nested(100) } })).issues;
    expect(issue?.path.length).toBeLessThan(300);
  });

  it("[W-0.1] maps come out in code point order", () => {
    const graph = decoded({ nodes: { zeta: {}, Alpha: {}, beta: {} }, metadata: { b: 1, a: 2 } });
    expect(Object.keys(graph.nodes)).toEqual(["Alpha", "beta", "zeta"]);
    expect(Object.keys(graph.metadata)).toEqual(["a", "b"]);
  });
});

const constraints = (count: number) => ({ tool_arg_constraints: Array.from({ length: count }, () => ({})) });

describe("decoders of parts", () => {
  it("[W-15.1] a bad ceiling is a policy parse error", () => {
    expect(errorOf(decodeCapabilityPolicy({ tools: "x" })).message).toMatch(/^policy parse error: tools: /);
    expect(valueOf(decodeCapabilityPolicy({ tools: ["x"] })).tools).toEqual(["x"]);
  });

  it("[W-15.1] a bad policy names the builtin", () => {
    const builtins = [
      ["workflow_set_model_policy", decodeModelPolicy, { max_tokens: "x" }],
      ["workflow_set_context_policy", decodeContextPolicy, { max_artifacts: -1 }],
      ["workflow_set_auto_compact", decodeAutoCompactPolicy, { enabled: null }],
    ] as const;
    for (const [builtin, decode, bad] of builtins) {
      const result = decode(bad, builtin);
      expect(result.ok ? "" : result.error.message).toMatch(new RegExp(`^${builtin}: ${Object.keys(bad)[0]}: `));
      expect(decode({}, builtin).ok).toBe(true);
    }
    expect(errorOf(decodeApprovalPolicy({ auto_deny: 1 }, "options")).message).toMatch(
      /^options parse error at auto_deny/,
    );
  });

  it("[W-1.4] a partial turn policy keeps the finishing marker allowed", () => {
    const node = nodeFrom({ model_policy: { turn_policy: { require_action_or_yield: true } } });
    expect(node.model_policy.turn_policy).toEqual({
      require_action_or_yield: true,
      allow_done_sentinel: true,
      max_prose_chars: null,
    });
  });

  it("[W-1.11] a policy may hold at most 500 argument constraints", () => {
    expect(decodeCapabilityPolicy(constraints(500)).ok).toBe(true);
    expect(errorOf(decodeCapabilityPolicy(constraints(501))).issues[0]?.path).toBe("tool_arg_constraints");
  });
});

const issuesOf = (node: object): readonly string[] => {
  const graph = decodeGraph({ nodes: { a: node } });
  return graph.ok ? [] : graph.error.issues.map(({ path }) => path);
};

describe("what could never have an effect", () => {
  it("[W-6.9] categories to try again on are those of failed calls", () => {
    expect(issuesOf({ retry_policy: { retry_on: ["rate_limit", "generic"] } })).toEqual([]);
    expect(issuesOf({ retry_policy: { retry_on: ["rate_limit", "rate-limit"] } })).toEqual([
      "nodes.a.retry_policy.retry_on[1]",
    ]);
  });

  it("[W-6.10] a message to wait for has a name that a mailbox takes", () => {
    expect(issuesOf({ wait: { message: "m".repeat(200) } })).toEqual([]);
    expect(issuesOf({ wait: { message: "m".repeat(201) } })).toEqual(["nodes.a.wait.message"]);
  });
});
