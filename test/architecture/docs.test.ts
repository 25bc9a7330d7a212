import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { normalizeGraph } from "../../src/engine/graph/normalize.ts";
import { validateGraph } from "../../src/engine/graph/validate.ts";
import { isObject, type JsonObject } from "../../src/lib/json.ts";
import { decodeGraph, workflowNodeSchema } from "../../src/schema/graph.ts";
import { projectFiles, textOf } from "./files.ts";

const pages = projectFiles().filter((path) => path.endsWith(".md"));
const folders = new Set(projectFiles().flatMap((path) => [dirname(path), dirname(dirname(path))]));
const exists = (path: string): boolean => folders.has(path) || textOf(path) !== "";

const withoutCode = (text: string): string => text.replaceAll(/^```[\s\S]*?^```/gm, "").replaceAll(/`[^`\n]*`/g, "");

/** The anchors of a page, as hosts of repositories make them from its headings. */
const anchorsOf = (path: string): ReadonlySet<string> =>
  new Set(
    [...textOf(path).matchAll(/^#{1,6} (.*)$/gm)].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );

const isBroken = (page: string, target: string): boolean => {
  if (/^[a-z]+:/.test(target)) return false;
  const [path = "", anchor] = target.split("#");
  const file = path === "" ? page : join(dirname(page), path);
  if (!exists(file)) return true;
  return anchor !== undefined && !anchorsOf(file).has(anchor);
};

interface Sample {
  readonly page: string;
  readonly value: unknown;
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** What the JSON blocks of a page hold; a block may have one document, or one on each line. */
const samplesOf = (page: string): readonly Sample[] =>
  [...textOf(page).matchAll(/^```json\n([\s\S]*?)^```/gm)].flatMap(([, block = ""]) => {
    const whole = parsed(block);
    const values = whole === undefined ? block.trim().split("\n").map(parsed) : [whole];
    return values.map((value) => ({ page, value }));
  });

const samples = pages.flatMap(samplesOf);

const nodeFields = new Set(Object.keys(workflowNodeSchema.unwrap().shape));

/** The graph that a sample is, or the smallest one around the node that it is; null for a sample of something else. */
const graphIn = (value: JsonObject): JsonObject | null => {
  if (isObject(value["nodes"])) return value;
  const saysWhat = ["kind", "mode", "auto_compact", "context_assembler", "tool_hooks"].some((key) => key in value);
  return saysWhat && Object.keys(value).every((key) => nodeFields.has(key))
    ? { entry: "a", nodes: { a: value as JsonObject } }
    : null;
};

const errorsOf = (document: JsonObject): readonly string[] => {
  const graph = decodeGraph(document);
  if (!graph.ok) return [graph.error.message];
  return validateGraph(normalizeGraph(graph.value, { nextId: (prefix) => `${prefix}_1` }), null).errors;
};

describe("the texts", () => {
  it("[docs] every link leads to a file, and to a heading in it", () => {
    expect(pages.length).toBeGreaterThan(50);
    const broken = pages.flatMap((page) =>
      [...withoutCode(textOf(page)).matchAll(/\]\(([^()\s]+)\)/g)]
        .map(([, target = ""]) => target)
        .filter((target) => isBroken(page, target))
        .map((target) => `${page}: ${target}`),
    );
    expect(broken).toEqual([]);
  });

  it("[docs] the differences are numbered in one sequence, and each that is named is there", () => {
    const text = textOf("docs/differences.md");
    const rows = [...text.matchAll(/^\| D(\d+) \|/gm)].map(([, number]) => Number(number));
    expect(rows.length).toBeGreaterThan(50);
    expect(rows).toEqual(rows.map((_, index) => index + 1));
    const named = [...text.matchAll(/\bD(\d+)\b/g)].map(([, number]) => Number(number));
    expect(named.filter((number) => number > rows.length)).toEqual([]);
  });

  it("[docs] every trap of the ancestor is decided", () => {
    const [, traps = ""] = textOf("docs/differences.md").split("## Traps of the ancestor");
    const numbers = [...traps.matchAll(/^\| (\d+) \|/gm)].map(([, number]) => Number(number));
    expect(numbers).toEqual(Array.from({ length: 33 }, (_, index) => index + 1));
  });

  it("[docs] every decision is listed", () => {
    const decisions = pages.filter((page) => page.startsWith("design/rfc-"));
    expect(decisions.length).toBeGreaterThan(10);
    expect(decisions.filter((page) => !textOf("design/README.md").includes(page.slice("design/".length)))).toEqual([]);
  });

  it("[docs] every JSON sample can be read", () => {
    expect(samples.length).toBeGreaterThan(20);
    expect(samples.filter(({ value }) => value === undefined).map(({ page }) => page)).toEqual([]);
  });

  it("[W-3] every graph and node among the samples is valid", () => {
    const graphs = samples.flatMap(({ page, value }) => {
      const graph = isObject(value as never) ? graphIn(value as JsonObject) : null;
      return graph === null ? [] : [{ page, graph }];
    });
    expect(graphs.length).toBeGreaterThan(10);
    const wrong = graphs.flatMap(({ page, graph }) => errorsOf(graph).map((error) => `${page}: ${error}`));
    expect(wrong).toEqual([]);
  });
});
