import { describe, expect, it } from "vitest";
import { importsOf, sourceFiles, textOf, withoutComments } from "./files.ts";
import { LAYERS, layerOf } from "./layers.ts";

/** Imports that the table does not allow, each with the reason why it is there all the same. */
const EXCEPTIONS: Readonly<Record<string, string>> = {};

const isAllowed = (from: string, to: string, typesOnly: boolean): boolean => {
  const layer = LAYERS.find(({ name }) => name === layerOf(from));
  const target = layerOf(to);
  if (layer === undefined || target === layer.name) return layer !== undefined;
  const use = layer.may[target];
  return use === "all" || (use === "types" && typesOnly);
};

describe("the layers", () => {
  const files = sourceFiles();
  const imports = files.flatMap(importsOf);

  it("[architecture 5] every import is one that the layer table allows", () => {
    const wrong = imports
      .filter(({ from, to, types_only }) => !isAllowed(from, to, types_only))
      .map(({ from, to, types_only }) => `${from} -> ${to}${types_only ? " (types)" : ""}`);
    expect(wrong.filter((line) => EXCEPTIONS[line] === undefined)).toEqual([]);
    expect(Object.keys(EXCEPTIONS).filter((line) => !wrong.includes(line))).toEqual([]);
  });

  it("[architecture 5] the scan saw the project: files, imports and every layer that exists", () => {
    expect(files.length).toBeGreaterThan(150);
    expect(imports.length).toBeGreaterThan(500);
    expect(files.filter((path) => layerOf(path) === "tools")).toEqual([]);
    for (const name of ["lib", "schema", "engine", "ports", "connectors", "executor", "http", "objects", "cli", "root"])
      expect(
        files.some((path) => layerOf(path) === name),
        name,
      ).toBe(true);
  });

  it("[architecture 5] the check itself refuses what it should refuse", () => {
    expect(isAllowed("src/engine/run/machine.ts", "src/schema/plan.ts", true)).toBe(true);
    expect(isAllowed("src/engine/run/machine.ts", "src/schema/plan.ts", false)).toBe(false);
    expect(isAllowed("src/engine/run/machine.ts", "cloudflare:workers", true)).toBe(false);
    expect(isAllowed("src/lib/json.ts", "src/engine/machine.ts", true)).toBe(false);
    expect(isAllowed("src/http/app.ts", "durable-objects/workflow-run.ts", false)).toBe(false);
  });

  it("[architecture 5] engine and lib are pure: no clock, chance, timer or network", () => {
    const impure =
      /\bDate\.now\b|\bMath\.random\b|\bcrypto\.|(?<![.\w])fetch\(|\bsetTimeout\b|\bsetInterval\b|\bnew Date\(\s*\)|\bperformance\.|\bprocess\./;
    const pure = files.filter((path) => /^src\/(?:engine|lib)\//.test(path));
    expect(pure.length).toBeGreaterThan(60);
    expect(pure.filter((path) => impure.test(withoutComments(textOf(path))))).toEqual([]);
  });
});
