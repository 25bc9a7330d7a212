import { describe, expect, it } from "vitest";
import { examples } from "../../../examples/index.ts";
import { functions } from "../../../src/functions.ts";
import { normalizeGraph } from "../../../src/engine/graph/normalize.ts";
import { validateGraph } from "../../../src/engine/graph/validate.ts";
import { decodeGraph } from "../../../src/schema/graph.ts";

const reportOf = (document: unknown) => {
  const graph = decodeGraph(document);
  if (!graph.ok) throw new Error(graph.error.message);
  const normal = normalizeGraph(graph.value, { nextId: (prefix) => `${prefix}_1` });
  return { normal, report: validateGraph(normal, null) };
};

const all = Object.entries(examples);

describe("the examples", () => {
  it.each(all)(
    "[W-3] %s has no error that its author could take away, and every node can be reached",
    (id, document) => {
      const { normal, report } = reportOf(document);
      expect(document.id).toBe(id);
      expect(report.errors.filter((error) => !error.endsWith("not supported by this version"))).toEqual([]);
      expect(report.reachable_nodes.toSorted()).toEqual(Object.keys(normal.nodes).toSorted());
    },
  );

  it("[W-3] issue-triage is valid without a warning", () => {
    expect(reportOf(examples["issue-triage"]).report).toMatchObject({ valid: true, errors: [], warnings: [] });
  });

  it("[W-1] are JSON: nothing is lost when they are sent", () => {
    expect(all.length).toBeGreaterThan(3);
    for (const [, document] of all) expect(JSON.parse(JSON.stringify(document))).toEqual(document);
  });

  it("[W-6.10] name only functions that are registered", () => {
    const named = all.flatMap(([, { nodes }]) =>
      Object.values(nodes).flatMap((node) => ("mode" in node && node.mode === "function" ? [node.function] : [])),
    );
    expect(named.length).toBeGreaterThan(4);
    expect(named.filter((name) => functions.find(name) === undefined)).toEqual([]);
  });
});
