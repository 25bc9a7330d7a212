import { describe, expect, it } from "vitest";
import { filterTools, listedTools, policyFromTools, toolNames } from "../../../src/engine/policy/tools.ts";

const registry = {
  _type: "tool_registry",
  tools: [
    {
      name: "read",
      policy: { capabilities: { workspace: ["read_text"] }, side_effect_level: "read_only", path_params: ["path"] },
    },
    {
      name: "run",
      policy: {
        capabilities: { process: ["exec"], workspace: ["list", "read_text"] },
        side_effect_level: "process_exec",
      },
    },
    { name: "plain" },
    { name: "" },
    "junk",
  ],
};

describe("toolNames", () => {
  it("[W-2] reads lists, registries and single tools, and nothing else", () => {
    expect(toolNames([{ name: "a" }, { nom: "b" }, "c", { name: 4 }])).toEqual(["a"]);
    expect(toolNames(registry)).toEqual(["read", "run", "plain"]);
    expect(toolNames({ _type: "tool_registry", tools: { _type: "tool_registry", tools: [{ name: "in" }] } })).toEqual([
      "in",
    ]);
    expect(toolNames({ _type: "tool_registry" })).toEqual([]);
    expect(toolNames({ name: "solo" })).toEqual(["solo"]);
    for (const nothing of [null, 5, "x", {}, []]) expect(toolNames(nothing)).toEqual([]);
  });

  it("[W-3.1] listed tools leave registries alone", () => {
    expect(listedTools(registry)).toEqual([]);
    expect(listedTools({ name: "solo" })).toEqual([{ name: "solo", declaration: { name: "solo" } }]);
  });
});

describe("policyFromTools", () => {
  it("[W-10.3] rolls declarations up into names, capabilities and the highest level", () => {
    const policy = policyFromTools(registry);
    expect(policy).toMatchObject({
      tools: ["read", "run", "plain"],
      capabilities: { process: ["exec"], workspace: ["list", "read_text"] },
      side_effect_level: "process_exec",
      workspace_roots: [],
      recursion_limit: null,
      tool_annotations: {
        read: { arg_schema: { path_params: ["path"], arg_aliases: {}, required: [] }, side_effect_level: "read_only" },
        plain: { kind: "other", side_effect_level: "none", emits_artifacts: false, inline_result: false },
      },
    });
  });

  it("[W-10.3] no tools make no demands", () => {
    expect(policyFromTools(null)).toMatchObject({ tools: [], capabilities: {}, side_effect_level: null });
    expect(policyFromTools({ name: "solo" })).toMatchObject({ tools: ["solo"], side_effect_level: null });
  });

  it("[W-10.3] reads every annotation and replaces what does not fit by its default", () => {
    const policy = policyFromTools([
      {
        name: "t",
        policy: {
          kind: "execute",
          side_effect_level: "network",
          arg_schema: { path_params: ["p", 4], arg_aliases: { b: "p", a: 4 }, required: ["q"] },
          capabilities: { z: ["b", "a"], y: "x" },
          emits_artifacts: true,
          readable_result_routes: ["r"],
          inline_result: true,
        },
      },
      { name: "odd", policy: { kind: "nonsense", side_effect_level: "extreme", path_params: "p", capabilities: 4 } },
      { name: "own", policy: { result_readers: ["s"], arg_aliases: { c: "d" }, required: ["e"] } },
      { name: "none", policy: "x" },
      { name: "own" },
    ]);
    expect(policy.tools).toEqual(["t", "odd", "own", "none"]);
    expect(policy.capabilities).toEqual({ z: ["a", "b"] });
    expect(policy.tool_annotations["t"]).toEqual({
      kind: "execute",
      side_effect_level: "network",
      arg_schema: { path_params: ["p"], arg_aliases: { b: "p" }, required: ["q"] },
      capabilities: { z: ["b", "a"] },
      emits_artifacts: true,
      result_readers: ["r"],
      inline_result: true,
    });
    expect(policy.tool_annotations["odd"]).toMatchObject({
      kind: "other",
      side_effect_level: "none",
      capabilities: {},
    });
    expect(Object.keys(policy.tool_annotations)).toEqual(["none", "odd", "own", "t"]);
  });
});

const keep = (name: string) => name === "read";

describe("filterTools", () => {
  it("[W-10.5] keeps named entries of lists and registries and drops a single tool to null", () => {
    expect(filterTools([{ name: "read" }, { name: "run" }, "junk"], keep)).toEqual([{ name: "read" }]);
    expect(filterTools(registry, keep)).toEqual({ _type: "tool_registry", tools: [registry.tools[0]] });
    expect(filterTools({ _type: "tool_registry" }, keep)).toEqual({ _type: "tool_registry", tools: null });
    expect(filterTools({ name: "read" }, keep)).toEqual({ name: "read" });
    expect(filterTools({ name: "run" }, keep)).toBeNull();
    expect(filterTools({}, keep)).toBeNull();
    expect(filterTools("other", keep)).toBe("other");
  });
});
