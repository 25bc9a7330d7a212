import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../../..");
const folder = mkdtempSync(join(tmpdir(), "godwit-types-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the compiler says about a text, with the settings of the project's own type tests. */
const compile = (name: string, text: string): string => {
  writeFileSync(join(folder, `${name}.ts`), text);
  const config = join(folder, `${name}.json`);
  const settings = {
    extends: join(ROOT, "tsconfig.node.json"),
    compilerOptions: { types: ["node"], typeRoots: [join(ROOT, "node_modules/@types")] },
    include: [],
    exclude: [],
    files: [`${name}.ts`],
  };
  writeFileSync(config, JSON.stringify(settings));
  try {
    return execFileSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", config], {
      encoding: "utf8",
    });
  } catch (error) {
    return String((error as { readonly stdout?: unknown }).stdout);
  }
};

const from = (path: string): string => JSON.stringify(join(ROOT, path));
const IMPORTS = `import { condition, defineWorkflow, fork } from ${from("src/authoring/index.ts")};
import { functions } from ${from("src/functions.ts")};
`;

describe("the compiler", () => {
  it("[types] says in words what is wrong with a definition, and where", () => {
    const text = compile(
      "messages",
      `${IMPORTS}
defineWorkflow({
  id: "x",
  entry: "nope",
  nodes: {
    a: { mode: "function", function: "ecko" },
    b: { kind: "condition" },
    c: { kind: "fork", http: { url: "u" } },
    d: condition({}, { next: { true: "a", false: "b" } }),
  },
  edges: [{ from: "a", to: "b", branch: "passed" }],
}, { functions });
defineWorkflow({ id: "x", entry: "a", nodes: { a: { mode: "http" } } });
`,
    );
    expect(text).toContain(`Problem<"'nope' is not a node of this workflow", "a" | "b" | "c" | "d">`);
    expect(text).toContain(`Problem<"no function 'ecko' is registered", "echo">`);
    expect(text).toContain(`Problem<"the condition 'b' has no edge for one of its branches", ${'"false" | "true"'}>`);
    expect(text).toContain(`Problem<"'http' is not a field of a node of kind 'fork'", never>`);
    expect(text).toContain(`Problem<"'a' never gives the branch 'passed'", "error" | "failed" | "success">`);
    expect(text).toContain(`Problem<"a stage with mode 'http' needs 'http'", never>`);
    expect(text.match(/error TS/g)).toHaveLength(6);
    expect(text).toMatch(/messages\.ts\(6,3\): error/);
  });

  it("[types] refuses a wrong expectation: an error expected where there is none, a type taken for another", () => {
    const text = compile(
      "planted",
      `${IMPORTS}
// @ts-expect-error
export const made = defineWorkflow({ id: "x", entry: "a", nodes: { a: fork() } });
export const other: "y" = made.id;
`,
    );
    expect(text).toMatch(/planted\.ts\(4,1\): error TS2578/);
    expect(text).toMatch(/planted\.ts\(6,14\): error TS2322/);
    expect(text.match(/error TS/g)).toHaveLength(2);
  });

  it("[types] has nothing to say about a right definition", () => {
    const text = `${IMPORTS}defineWorkflow({ id: "x", entry: "a", nodes: { a: fork({ next: ["a", "a"] }) } }, { functions });`;
    expect(compile("right", text)).toBe("");
  });
});
