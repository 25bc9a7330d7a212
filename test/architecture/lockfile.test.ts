import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

interface Package {
  readonly version?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly resolved?: string;
}

const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
  readonly packages: Readonly<Record<string, Package>>;
};

describe("the lock file", () => {
  it("lists every optional package, so that a clean install works on every platform", () => {
    const declared = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).map((name) => ({ path, name })),
    );
    expect(declared.length).toBeGreaterThan(50);
    const missing = declared.filter(
      ({ path, name }) =>
        packages[`node_modules/${name}`] === undefined && packages[`${path}/node_modules/${name}`] === undefined,
    );
    expect(missing).toEqual([]);
  });

  it("names no registry, so that everybody installs from their own", () => {
    expect(Object.values(packages).filter(({ resolved }) => resolved !== undefined)).toEqual([]);
  });

  it("has one runtime: the tests run on what the local server and the deployment run on", () => {
    const runtimes = Object.keys(packages).filter((path) => path.endsWith("node_modules/workerd"));
    expect(runtimes).toEqual(["node_modules/workerd"]);
  });
});
