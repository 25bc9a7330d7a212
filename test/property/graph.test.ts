import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nextEdges } from "../../src/engine/graph/edges.ts";
import { nodeIds, normalizeGraph } from "../../src/engine/graph/normalize.ts";
import { validateGraph } from "../../src/engine/graph/validate.ts";
import { BUILTIN_CEILING } from "../../src/engine/policy/capability.ts";
import { decodeGraph } from "../../src/schema/graph.ts";

const context = { nextId: (prefix: string) => `${prefix}_1` };

const id = fc.constantFrom("a", "b", "10", "9", "Z", "é", "node_2");
const branch = fc.option(fc.constantFrom("true", "false", "failed", "success"));
const kind = fc.constantFrom(
  "",
  "stage",
  "verify",
  "join",
  "condition",
  "fork",
  "map",
  "reduce",
  "subagent",
  "escalation",
  "x",
);
const count = fc.option(fc.nat(3));

const node = fc.record(
  {
    kind,
    mode: fc.option(fc.constantFrom("llm", "agent", "http", "function")),
    prompt: fc.option(fc.string()),
    tools: fc.oneof(
      fc.jsonValue({ maxDepth: 3 }),
      fc.array(fc.record({ name: id, policy: fc.jsonValue({ maxDepth: 2 }) })),
    ),
    input_contract: fc.record({ min_inputs: count, max_inputs: count }),
    verify: fc.jsonValue({ maxDepth: 3 }),
    metadata: fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 })),
    capability_policy: fc.record({
      tools: fc.array(id),
      tool_arg_constraints: fc.array(fc.record({ tool: id, arg_key: fc.option(id) })),
    }),
    approval_policy: fc.record({ auto_deny: fc.array(id) }),
  },
  { requiredKeys: [] },
);

const edge = fc.record({ from: id, to: id, branch });

const document = fc.oneof(
  fc.record(
    {
      id: fc.string(),
      version: fc.nat(3),
      entry: fc.oneof(id, fc.string()),
      nodes: fc.dictionary(id, node),
      edges: fc.array(edge),
    },
    { requiredKeys: [] },
  ),
  fc.record({ act: node, verify: node, repair: node, provider: fc.string() }, { requiredKeys: [] }),
);

const normal = (value: unknown) => {
  const decoded = decodeGraph(value);
  if (!decoded.ok) throw new Error(decoded.error.message);
  return normalizeGraph(decoded.value, context);
};

describe("graphs", () => {
  it("[W-2] normalising is idempotent, also through JSON", () => {
    fc.assert(
      fc.property(document, (value) => {
        const once = normal(value);
        expect(normalizeGraph(once, context)).toEqual(once);
        expect(normal(JSON.parse(JSON.stringify(once)))).toEqual(JSON.parse(JSON.stringify(once)));
      }),
    );
  });

  it("[W-0.1] decoding never throws, and an error names a place", () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.record({ nodes: fc.anything(), edges: fc.anything() })), (value) => {
        const result = decodeGraph(value);
        if (!result.ok) expect(result.error.message).toMatch(/^orchestration parse error at /);
      }),
    );
  });

  it("[W-3] validation is total, repeatable and sorted", () => {
    fc.assert(
      fc.property(document, (value) => {
        const graph = normal(value);
        const report = validateGraph(graph, BUILTIN_CEILING);
        expect(report.valid).toBe(report.errors.length === 0);
        expect(report.reachable_nodes).toContain(graph.entry);
        expect(report.reachable_nodes).toEqual(report.reachable_nodes.toSorted((a, b) => (a < b ? -1 : 1)));
        expect(validateGraph(normal(value), BUILTIN_CEILING)).toEqual(report);
      }),
    );
  });

  it("[W-5.1] next edges are exact ones or else default ones, all of them and in order", () => {
    fc.assert(
      fc.property(fc.array(edge), id, branch, (edges, from, taken) => {
        const graph = normal({ edges });
        const expected = (wanted: string | null) =>
          graph.edges.filter((candidate) => candidate.from === from && candidate.branch === wanted);
        const exact = expected(taken);
        expect(nextEdges(graph, from, taken)).toEqual(exact.length > 0 ? exact : expected(null));
      }),
    );
  });

  it("[W-0.1] node ids are sorted and complete", () => {
    fc.assert(
      fc.property(fc.dictionary(id, fc.constant({})), (nodes) => {
        const ids = nodeIds(normal({ nodes }));
        expect(ids).toEqual(Object.keys(nodes).toSorted((a, b) => (a < b ? -1 : 1)));
      }),
    );
  });
});
