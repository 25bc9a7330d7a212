import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { intersectApprovalPolicies } from "../../src/engine/policy/approval.ts";
import { meetPolicies } from "../../src/engine/policy/capability.ts";
import { narrowPolicies } from "../../src/engine/policy/narrow.ts";
import { stagePolicies } from "../../src/engine/policy/scopes.ts";
import { type GateVerdict, gateToolCall, recheckAfter } from "../../src/engine/policy/tool-gate.ts";
import { resolveWorkerPolicy } from "../../src/engine/policy/worker-policy.ts";
import type { Json, JsonObject } from "../../src/lib/json.ts";
import { decodeNode, type WorkflowNode } from "../../src/schema/graph.ts";
import {
  type CapabilityPolicy,
  capabilityPolicySchema,
  SIDE_EFFECT_LEVELS,
  TOOL_KINDS,
  type ToolApprovalPolicy,
  toolApprovalPolicySchema,
} from "../../src/schema/policy.ts";

const TOOLS = ["read", "edit", "run"] as const;
const tool = fc.constantFrom(...TOOLS);
const toolList = fc.uniqueArray(tool, { minLength: 1 });
const glob = fc.constantFrom("*", "read", "edit", "run", "r*", "*t");
const path = fc.constantFrom("src/a", "src/../etc", "etc", "lib/b", "./src/a");
const pathGlob = fc.constantFrom("src/*", "lib/*", "*", "etc");
const capabilities = fc.dictionary(
  fc.constantFrom("workspace", "process"),
  fc.uniqueArray(fc.constantFrom("read_text", "write_text", "exec")),
  { maxKeys: 2 },
);
const level = fc.constantFrom(...SIDE_EFFECT_LEVELS);
const rarely = <T>(value: fc.Arbitrary<T>, otherwise: T) =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(otherwise) }, { weight: 1, arbitrary: value });

const annotations = fc.record({
  kind: fc.constantFrom(...TOOL_KINDS),
  side_effect_level: level,
  arg_schema: fc.record({
    path_params: fc.subarray(["path", "to"]),
    arg_aliases: rarely<Readonly<Record<string, string>>>(fc.constant({ file: "path" }), {}),
  }),
  capabilities: rarely(capabilities, {}),
});

const policy: fc.Arbitrary<CapabilityPolicy> = fc
  .record({
    tools: rarely(toolList, []),
    capabilities: rarely(capabilities, {}),
    side_effect_level: rarely<string | null>(level, null),
    tool_arg_constraints: rarely(
      fc.array(fc.record({ tool: glob, arg_patterns: fc.array(pathGlob), arg_key: fc.constantFrom(null, "path") }), {
        maxLength: 2,
      }),
      [],
    ),
    tool_annotations: fc.dictionary(tool, annotations, { maxKeys: 2 }),
  })
  .map((fields) => capabilityPolicySchema.parse(fields));

const approval: fc.Arbitrary<ToolApprovalPolicy> = fc
  .record({
    auto_approve: rarely(fc.array(glob, { maxLength: 2 }), []),
    auto_deny: rarely(fc.array(glob, { maxLength: 1 }), []),
    require_approval: fc.array(glob, { maxLength: 2 }),
    write_path_allowlist: rarely(fc.array(pathGlob, { maxLength: 2 }), []),
  })
  .map((fields) => toolApprovalPolicySchema.parse(fields));

const args: fc.Arbitrary<JsonObject> = fc.record(
  { path: fc.oneof(path, fc.array(path, { maxLength: 2 })), to: path, file: path },
  { requiredKeys: [] },
);

const call = fc.record({ name: tool, arguments: args });

const DECLARED: Json = TOOLS.map((name) => ({ name }));

interface Scope {
  readonly policy: CapabilityPolicy;
  readonly approval: ToolApprovalPolicy;
}

const scope: fc.Arbitrary<Scope> = fc.record({ policy, approval });

type Call = { readonly name: string; readonly arguments: Json };

const gate = (of: Scope, made: Call): GateVerdict => gateToolCall({ ...of, tools: DECLARED, call: made });

const SEVERITY = { allowed: 0, needs_approval: 1, rejected: 2 } as const;

const severity = (verdict: GateVerdict): number => SEVERITY[verdict.type];

const meet = (a: Scope, b: Scope): Scope => ({
  policy: meetPolicies(a.policy, b.policy),
  approval: intersectApprovalPolicies(a.approval, b.approval),
});

/** Runs a property and counts how often its interesting part was reached. */
const counted = (least: number, run: (count: () => void) => void) => {
  let reached = 0;
  run(() => {
    reached += 1;
  });
  expect(reached).toBeGreaterThan(least);
};

describe("the gate of tool calls", () => {
  it("[I8] what two scopes together allow, each of them allows; what one asks about is asked", () => {
    counted(300, (reached) => {
      fc.assert(
        fc.property(scope, scope, call, (a, b, made) => {
          const together = gate(meet(a, b), made);
          if (together.type !== "rejected") reached();
          for (const one of [a, b]) expect(severity(together)).toBeGreaterThanOrEqual(severity(gate(one, made)));
        }),
        { numRuns: 3000 },
      );
    });
  });

  it("[W-10.7] rewritten arguments never get through where they would not have gone in", () => {
    counted(100, (reached) => {
      fc.assert(
        fc.property(scope, call, args, fc.constantFrom("approver", "hook"), (of, made, rewritten, by) => {
          const first = gate(of, { ...made, arguments: rewritten });
          const again = recheckAfter({ ...of, tools: DECLARED, call: made }, { arguments: rewritten, by });
          if (first.type === "rejected") expect(again).toEqual(first);
          else if (by === "hook") expect(again).toEqual(first);
          else expect(again.type).toBe("allowed");
          if (first.type !== "allowed") reached();
        }),
        { numRuns: 1000 },
      );
    });
  });
});

const nodeOf = (of: Scope): WorkflowNode => {
  const decoded = decodeNode({ capability_policy: of.policy, approval_policy: of.approval }, "node");
  if (!decoded.ok) throw new Error(decoded.error.message);
  return decoded.value;
};

describe("the chain of scopes", () => {
  it("[I8] run, graph, node, preparation and child never allow what one of them refuses", () => {
    counted(100, (reached) => {
      fc.assert(
        fc.property(fc.tuple(scope, scope, scope), scope, call, ([run, graph, node], child, made) => {
          const scopes = {
            policy: run.policy,
            approval_policy: run.approval,
            graph: { capability_policy: graph.policy, approval_policy: graph.approval },
          };
          const ofStage = stagePolicies(scopes, nodeOf(node), {});
          if (!ofStage.ok) return;
          reached();
          const given = gate(ofStage.value, made);
          for (const one of [run, graph, node])
            expect(severity(given)).toBeGreaterThanOrEqual(severity(gate(one, made)));
          const asked = { capability_policy: child.policy as unknown as Json } as JsonObject;
          const narrowed = narrowPolicies(ofStage.value, asked);
          if (narrowed.ok) expect(severity(gate(narrowed.value, made))).toBeGreaterThanOrEqual(severity(given));
          const ofChild = resolveWorkerPolicy({ explicit: child.policy, parent: ofStage.value.policy });
          if (!ofChild.ok || ofChild.value === null) return;
          const delegated = gate({ ...ofStage.value, policy: ofChild.value }, made);
          expect(severity(delegated)).toBeGreaterThanOrEqual(severity(given));
        }),
        { numRuns: 2000 },
      );
    });
  });

  it("[I8] what a stage was narrowed to holds when it is looked up again", () => {
    counted(100, (reached) => {
      fc.assert(
        fc.property(scope, scope, call, (graph, asked, made) => {
          const scopes = {
            policy: capabilityPolicySchema.parse({}),
            approval_policy: null,
            graph: { capability_policy: graph.policy, approval_policy: graph.approval },
          };
          const node = nodeOf({ policy: scopes.policy, approval: toolApprovalPolicySchema.parse({}) });
          const whole = stagePolicies(scopes, node, {});
          if (!whole.ok) return;
          const narrowed = narrowPolicies(whole.value, {
            capability_policy: asked.policy as unknown as Json,
            approval_policy: asked.approval as unknown as Json,
          });
          if (!narrowed.ok) return;
          reached();
          const options = {
            capability_policy: narrowed.value.policy as unknown as Json,
            approval_policy: narrowed.value.approval as unknown as Json,
          };
          const again = stagePolicies(scopes, node, options);
          expect(again.ok && gate(again.value, made)).toEqual(gate(narrowed.value, made));
          // Who gives back what the plan says asks for nothing more.
          expect(narrowPolicies(narrowed.value, options)).toEqual(narrowed);
        }),
        { numRuns: 1000 },
      );
    });
  });
});
