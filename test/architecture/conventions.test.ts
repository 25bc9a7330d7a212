import { describe, expect, it } from "vitest";
import { PROBLEMS } from "../../src/schema/problem.ts";
import { linesOf, projectFiles, sourceFiles, textOf, withoutComments } from "./files.ts";

const MAX_FILE_LINES = 400;
const MAX_CLASS_LINES = 200;
const MAX_PATH_LINES = 700;

/** The five files with which a newcomer understands the project (architecture 5). */
const NEWCOMERS_PATH = [
  "src/index.ts",
  "src/http/routes/runs.ts",
  "durable-objects/workflow-run.ts",
  "durable-objects/shell/machine-object.ts",
  "src/engine/run/machine.ts",
];

/** Codes that clients have to know although nothing in the sources answers them: each with its reason. */
const NOT_PRODUCED: Readonly<Record<string, string>> = {};

/** Lines of each class of a file, from its head to the brace that closes it. */
const classesOf = (path: string): readonly { readonly name: string; readonly lines: number }[] =>
  [...textOf(path).matchAll(/^(?:export )?(?:abstract )?class (\w+)[\s\S]*?^\}/gm)].map(([text, name = ""]) => ({
    name: `${path}: ${name}`,
    lines: text.split("\n").length,
  }));

describe("the conventions", () => {
  const all = projectFiles();
  const code = all.filter((path) => /\.tsx?$/.test(path) && !path.endsWith(".d.ts"));

  it("[conventions] no file of code is longer than 400 lines", () => {
    expect(code.length).toBeGreaterThan(250);
    expect(code.filter((path) => linesOf(path) > MAX_FILE_LINES)).toEqual([]);
  });

  it("[conventions] no class of an object or of its shell is longer than 200 lines", () => {
    const classes = sourceFiles()
      .filter((path) => path.startsWith("durable-objects/"))
      .flatMap(classesOf);
    expect(classes.length).toBeGreaterThan(5);
    expect(classes.filter(({ lines }) => lines > MAX_CLASS_LINES)).toEqual([]);
  });

  it("[conventions] only src/index.ts, test entries and config files have a default export", () => {
    const allowed =
      /^src\/index\.ts$|\.config\.ts$|^bench\/worker\.ts$|^src\/local\/control\/worker\.ts$|^test\/.*(?:entry|reporter)\.ts$/;
    const found = code.filter((path) =>
      /^export default\b|^export \{[^}]*\bas default\b/m.test(withoutComments(textOf(path))),
    );
    expect(found).toContain("src/index.ts");
    expect(found.filter((path) => !allowed.test(path))).toEqual([]);
  });

  it("[conventions] no enum, namespace, non-null assertion marker or unfinished work in the sources", () => {
    const sources = sourceFiles();
    expect(
      sources.filter((path) => /^(?:export )?(?:const )?enum |^(?:export )?namespace /m.test(textOf(path))),
    ).toEqual([]);
    expect(sources.filter((path) => /\b(?:TODO|FIXME|XXX)\b/.test(textOf(path)))).toEqual([]);
  });

  it("[conventions] files have kebab-case names that say what they hold", () => {
    const names = sourceFiles().map((path) => path.split("/").at(-1) ?? "");
    expect(names.filter((name) => !/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.config)?\.tsx?$/.test(name))).toEqual([]);
    expect(names.filter((name) => /^(?:utils?|helpers?|manager|service|misc|common)\.ts$/.test(name))).toEqual([]);
  });

  it("[conventions] no test is skipped, alone or still to be written", () => {
    const tests = all.filter((path) => path.endsWith(".test.ts"));
    expect(tests.length).toBeGreaterThan(50);
    const marker =
      /\b(?:it|test|describe)\.(?:skip|only|todo|fails|skipIf|runIf)\b|\b(?:xit|xdescribe|fit|fdescribe)\(/;
    expect(tests.filter((path) => marker.test(withoutComments(textOf(path))))).toEqual([]);
  });

  it("[conventions] every problem code has its page and a place that produces it", () => {
    const codes = Object.keys(PROBLEMS);
    expect(codes.length).toBeGreaterThan(20);
    expect(codes.filter((name) => !all.includes(`docs/errors/${name}.md`))).toEqual([]);
    const sources = sourceFiles()
      .filter((path) => path !== "src/schema/problem.ts")
      .map(textOf)
      .join("\n");
    expect(codes.filter((name) => !sources.includes(`"${name}"`))).toEqual(Object.keys(NOT_PRODUCED));
  });

  it("[conventions] no page describes a problem that does not exist", () => {
    const pages = all.flatMap((path) => /^docs\/errors\/(\w+)\.md$/.exec(path)?.[1] ?? []);
    expect(pages.filter((name) => name !== "README" && name !== "index" && !Object.hasOwn(PROBLEMS, name))).toEqual([]);
  });

  it("[architecture 5] a newcomer's path is five files under 700 lines", () => {
    for (const path of NEWCOMERS_PATH) expect(all).toContain(path);
    expect(NEWCOMERS_PATH.reduce((lines, path) => lines + linesOf(path), 0)).toBeLessThan(MAX_PATH_LINES);
  });

  it("[conventions] nothing speaks of the machine it was written on", () => {
    // A path on a disk, not one that follows a host; in brackets, so that this file does not match itself.
    const words = /(?<![\w}.])[/]work[/]|[.][.][/]shared|registry[.]npmjs/;
    const texts = all.filter((path) => !/\.(?:png|ico|woff2?|sqlite)$/.test(path) && path !== "package-lock.json");
    expect(texts.length).toBeGreaterThan(300);
    expect(texts.filter((path) => words.test(textOf(path)))).toEqual([]);
  });
});
