import { describe, expect, it } from "vitest";
import { argumentFinding } from "../../../src/engine/policy/arg-constraints.ts";
import { annotationsFrom } from "../../../src/engine/policy/tools.ts";
import type { Json, JsonObject } from "../../../src/lib/json.ts";
import { policyOf } from "../graph/fixture.ts";

const find = (constraints: readonly JsonObject[], args: Json, annotations: JsonObject | null = null) =>
  argumentFinding(policyOf({ tool_arg_constraints: constraints }), {
    tool: "copy",
    args,
    annotations: annotations === null ? null : annotationsFrom(annotations),
  });

const PATHS = { path_params: ["from", "to"], arg_aliases: { source: "from", other: "mode" } };
const IN_SRC = { tool: "co*", arg_patterns: ["src/*", "lib/*"] };

const violation = (key: string, value: string) =>
  `tool 'copy' ${key} '${value}' does not match allowed patterns: ["src/*", "lib/*"]. Use a value of '${key}' that matches one of them.`;

describe("argument constraints", () => {
  it.each<[Json]>([
    [{ from: "src/a", to: "lib/b" }],
    [{ from: "src/a/../b" }],
    [{ from: ["src/a", "src/b"] }],
    [{ source: "src/a" }],
    [{ other: "etc" }],
    [{ from: 5 }],
    [{}],
    [null],
    [[]],
  ])("[W-10.6] %j is allowed", (args) => {
    expect(find([IN_SRC], args, PATHS)).toEqual({ violation: null, unresolved: [] });
  });

  it.each<[Json, string, string]>([
    [{ from: "etc" }, "from", "etc"],
    [{ from: "src/a", to: "etc" }, "to", "etc"],
    [{ source: "etc" }, "from", "etc"],
    [{ from: "src/a", source: "etc" }, "from", "etc"],
    [{ from: ["src/a", "etc"] }, "from", "etc"],
    [{ from: "src/../etc" }, "from", "src/../etc"],
    ["etc", "value", "etc"],
  ])("[W-10.6] %j is refused", (args, key, value) => {
    expect(find([IN_SRC], args, PATHS).violation).toBe(violation(key, value));
  });

  it("[W-10.6] a constraint with a key of its own looks there, and takes what is no path as it is", () => {
    const mode = { ...IN_SRC, arg_key: "mode" };
    expect(find([mode], { mode: "src/../x", from: "etc" }, PATHS).violation).toBeNull();
    expect(find([mode], { other: "x" }, PATHS).violation).toBe(violation("mode", "x"));
    expect(find([{ ...IN_SRC, arg_key: "to" }], { to: "src/../x" }, PATHS).violation).toBe(violation("to", "src/../x"));
    expect(find([mode], { mode: "x" }).violation).toBe(violation("mode", "x"));
  });

  it("[W-10.6] constraints of other tools and without patterns say nothing; one without a key is reported", () => {
    expect(find([{ tool: "move", arg_patterns: ["x"] }, { tool: "copy" }], { from: "y" }, PATHS)).toEqual({
      violation: null,
      unresolved: [],
    });
    expect(find([IN_SRC], { from: "etc" })).toEqual({ violation: null, unresolved: ["co*"] });
  });
});
