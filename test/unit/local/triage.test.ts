import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { normalizeGraph } from "../../../src/engine/graph/normalize.ts";
import { validateGraph } from "../../../src/engine/graph/validate.ts";
import { decodeGraph } from "../../../src/schema/graph.ts";

const example: unknown = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../../examples/issue-triage.json"), "utf8"),
);

describe("examples/issue-triage.json", () => {
  it("[W-3] is valid, without a warning, and every node can be reached", () => {
    const graph = decodeGraph(example);
    if (!graph.ok) throw new Error(graph.error.message);
    const normal = normalizeGraph(graph.value, { nextId: (prefix) => `${prefix}_1` });
    const report = validateGraph(normal, null);
    expect(report).toMatchObject({ valid: true, errors: [], warnings: [] });
    expect(report.reachable_nodes.toSorted()).toEqual(Object.keys(normal.nodes).toSorted());
  });
});
