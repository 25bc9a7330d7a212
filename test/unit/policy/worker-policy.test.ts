import { describe, expect, it } from "vitest";
import { resolveWorkerPolicy } from "../../../src/engine/policy/worker-policy.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { decodeWorkerPolicy } from "../../../src/schema/worker-policy.ts";
import { errorOf, policyOf, valueOf } from "../graph/fixture.ts";

const resolve = (config: JsonObject, parent: unknown = null) =>
  resolveWorkerPolicy({
    ...valueOf(decodeWorkerPolicy(config)),
    parent: parent === null ? null : policyOf(parent),
  });

describe("the policy of a worker", () => {
  it("[W-11.3] the shorthand narrows the explicit policy, and the parent's is above both", () => {
    const policy = { tools: ["a", "b"], side_effect_level: "network" };
    expect(valueOf(resolve({ policy, tools: ["b"] }, { tools: ["a", "b"], side_effect_level: "read_only" }))).toEqual(
      policyOf({ tools: ["b"], side_effect_level: "read_only" }),
    );
    expect(valueOf(resolve({}, { tools: ["a"] }))).toEqual(policyOf({ tools: ["a"] }));
    expect(valueOf(resolve({}))).toBeNull();
    expect(valueOf(resolve({ policy: { tools: ["a"] } }))).toEqual(policyOf({ tools: ["a"] }));
  });

  it("[W-11.3] what is carried beats what stands beside it", () => {
    const config = { carry: { policy: { tools: ["a"] }, tools: ["a"] }, policy: { tools: ["b"] }, tools: ["c"] };
    expect(valueOf(resolve(config))?.tools).toEqual(["a"]);
    expect(valueOf(resolve({ carry: {}, policy: { tools: ["b"] } }))?.tools).toEqual(["b"]);
  });

  it("[W-11.3] asking for more than the parent has, or than the policy, is refused", () => {
    expect(errorOf(resolve({ tools: ["a", "b"] }, { tools: ["a"] }))).toBe(
      "spawn_agent: requested tools exceed host ceiling: b",
    );
    expect(errorOf(resolve({ tools: ["b"], policy: { tools: ["a"] } }))).toBe(
      "spawn_agent: requested tools exceed host ceiling: b",
    );
  });

  it("[W-11.3] names are trimmed and kept once; blanks alone, other types and null are errors", () => {
    expect(valueOf(resolve({ tools: [" a ", "b", "a", ""] }))?.tools).toEqual(["a", "b"]);
    for (const tools of ["a", ["a", 5], null])
      expect(errorOf(resolve({ tools }))).toBe("spawn_agent: tools shorthand must be a list of strings");
    for (const tools of [[], [" "]])
      expect(errorOf(resolve({ tools }))).toBe("spawn_agent: tools shorthand must include at least one tool name");
    expect(errorOf(decodeWorkerPolicy({ policy: { tools: 5 } }))).toContain("spawn_agent: policy parse error: tools");
  });
});
