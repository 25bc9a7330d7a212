import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { intersectApprovalPolicies } from "../../src/engine/policy/approval.ts";
import { allowsOperation, allowsTool, intersectPolicies, meetPolicies } from "../../src/engine/policy/capability.ts";
import { globMatch, globMatcher } from "../../src/engine/policy/glob.ts";
import { sideEffectRank } from "../../src/engine/policy/side-effect.ts";
import {
  type CapabilityPolicy,
  capabilityPolicySchema,
  SIDE_EFFECT_LEVELS,
  toolApprovalPolicySchema,
} from "../../src/schema/policy.ts";

const NAMES = ["a", "b", "c"] as const;
const name = fc.constantFrom(...NAMES);
const names = fc.uniqueArray(name);

/** Mostly overlapping lists, so that many meets succeed. */
const policy = fc
  .record({
    tools: names,
    capabilities: fc.dictionary(name, names, { maxKeys: 3 }),
    workspace_roots: names,
    side_effect_level: fc.option(fc.constantFrom(...SIDE_EFFECT_LEVELS)),
    recursion_limit: fc.option(fc.nat(9)),
    tool_arg_constraints: fc.array(fc.record({ tool: name, arg_patterns: names, arg_key: fc.option(name) }), {
      maxLength: 2,
    }),
    tool_annotations: fc.dictionary(name, fc.record({ kind: fc.constantFrom("read", "edit") })),
    denied_all: fc.uniqueArray(fc.constantFrom("tools", "capabilities", "workspace_roots")),
  })
  .map(({ denied_all: denied, ...fields }) =>
    // A marker belongs to a list that is empty, and there is none where nothing is denied.
    capabilityPolicySchema.parse({
      ...fields,
      ...Object.fromEntries(denied.map((scope) => [scope, scope === "capabilities" ? {} : []])),
      ...(denied.length > 0 ? { denied_all: denied.toSorted() } : {}),
    }),
  );

const sorted = (list: readonly string[]) => list.toSorted();

/** A policy without the order of its lists; annotations prefer the request's side, so their contents do not commute. */
const unordered = (value: CapabilityPolicy) => ({
  ...value,
  tools: sorted(value.tools),
  workspace_roots: sorted(value.workspace_roots),
  capabilities: Object.fromEntries(Object.entries(value.capabilities).map(([key, list]) => [key, sorted(list)])),
  tool_arg_constraints: sorted(value.tool_arg_constraints.map((constraint) => JSON.stringify(constraint))),
  tool_annotations: sorted(Object.keys(value.tool_annotations)),
  denied_all: sorted(value.denied_all ?? []),
});

const isRoot = (value: CapabilityPolicy, root: string): boolean =>
  value.workspace_roots.includes(root) ||
  (value.workspace_roots.length === 0 && !(value.denied_all?.includes("workspace_roots") ?? false));

const rank = (level: string | null): number => (level === null ? Infinity : sideEffectRank(level));

describe("the meet of capability policies", () => {
  it("[W-10.2] is commutative up to the order of lists", () => {
    let compared = 0;
    fc.assert(
      fc.property(policy, policy, (a, b) => {
        const ab = intersectPolicies(a, b);
        const ba = intersectPolicies(b, a);
        if (!ab.ok || !ba.ok) return;
        compared += 1;
        expect(unordered(ab.value)).toEqual(unordered(ba.value));
      }),
      { numRuns: 500 },
    );
    expect(compared).toBeGreaterThan(20);
  });

  it("[W-10.2] is associative", () => {
    let compared = 0;
    fc.assert(
      fc.property(policy, policy, policy, (a, b, c) => {
        const ab = intersectPolicies(a, b);
        const bc = intersectPolicies(b, c);
        if (!ab.ok || !bc.ok) return;
        const left = intersectPolicies(ab.value, c);
        const right = intersectPolicies(a, bc.value);
        if (!left.ok || !right.ok) return;
        compared += 1;
        expect(left.value).toEqual(right.value);
      }),
      { numRuns: 1000 },
    );
    expect(compared).toBeGreaterThan(20);
  });

  it("[W-10.2] without refusals is commutative up to the order of lists, associative and idempotent for any policies", () => {
    fc.assert(
      fc.property(policy, policy, policy, (a, b, c) => {
        expect(unordered(meetPolicies(a, b))).toEqual(unordered(meetPolicies(b, a)));
        expect(unordered(meetPolicies(meetPolicies(a, b), c))).toEqual(unordered(meetPolicies(a, meetPolicies(b, c))));
        expect(meetPolicies(meetPolicies(a, b), meetPolicies(a, b))).toEqual(meetPolicies(a, b));
        for (const x of NAMES) {
          const both = allowsTool(a, x) && allowsTool(b, x);
          expect(allowsTool(meetPolicies(a, b), x)).toBe(both);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("[W-10.2] is idempotent", () => {
    fc.assert(
      fc.property(policy, policy, (a, b) => {
        const met = intersectPolicies(a, b);
        if (!met.ok) return;
        expect(intersectPolicies(met.value, met.value)).toEqual(met);
      }),
      { numRuns: 500 },
    );
  });

  it("[W-10.2] never widens either side", () => {
    fc.assert(
      fc.property(policy, policy, (a, b) => {
        const met = intersectPolicies(a, b);
        if (!met.ok) return;
        for (const side of [a, b]) {
          for (const x of NAMES) {
            if (allowsTool(met.value, x)) expect(allowsTool(side, x)).toBe(true);
            if (isRoot(met.value, x)) expect(isRoot(side, x)).toBe(true);
            for (const y of NAMES) if (allowsOperation(met.value, x, y)) expect(allowsOperation(side, x, y)).toBe(true);
          }
          expect(rank(met.value.side_effect_level)).toBeLessThanOrEqual(rank(side.side_effect_level));
          expect(met.value.recursion_limit ?? Infinity).toBeLessThanOrEqual(side.recursion_limit ?? Infinity);
          for (const constraint of side.tool_arg_constraints) {
            expect(met.value.tool_arg_constraints).toContainEqual(constraint);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

const approval = fc
  .record({ auto_approve: names, auto_deny: names, require_approval: names, write_path_allowlist: names })
  .map((fields) => toolApprovalPolicySchema.parse(fields));

const asSets = (value: object) =>
  Object.fromEntries(Object.entries(value).map(([key, list]) => [key, sorted(list as readonly string[])]));

describe("the meet of approval policies", () => {
  it("[W-10.4] is commutative up to the order of lists, associative and idempotent", () => {
    fc.assert(
      fc.property(approval, approval, approval, (a, b, c) => {
        const meet = intersectApprovalPolicies;
        expect(asSets(meet(a, b))).toEqual(asSets(meet(b, a)));
        expect(meet(meet(a, b), c)).toEqual(meet(a, meet(b, c)));
        expect(meet(meet(a, b), meet(a, b))).toEqual(meet(a, b));
      }),
    );
  });
});

describe("globs", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 4 });

  it("[W-10.4] one matcher for many patterns is the same as trying each", () => {
    fc.assert(
      fc.property(fc.array(text), text, (patterns, candidate) => {
        expect(globMatcher(patterns)(candidate)).toBe(patterns.some((pattern) => globMatch(pattern, candidate)));
      }),
    );
  });
});
