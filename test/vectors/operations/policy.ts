import { policyAnnotations } from "../../../src/engine/policy/annotations.ts";
import { argumentFinding } from "../../../src/engine/policy/arg-constraints.ts";
import { bridgedExcess, builtinExcess, hostCallExcess } from "../../../src/engine/policy/builtins.ts";
import { postToolHooks, preToolHooks } from "../../../src/engine/policy/tool-hooks.ts";
import { toolExcess } from "../../../src/engine/policy/tool-check.ts";
import { resolveWorkerPolicy } from "../../../src/engine/policy/worker-policy.ts";
import { decodeToolHooks } from "../../../src/schema/tool-hook.ts";
import { decodeWorkerPolicy } from "../../../src/schema/worker-policy.ts";
import { evaluateApproval, intersectApprovalPolicies } from "../../../src/engine/policy/approval.ts";
import { intersectPolicies } from "../../../src/engine/policy/capability.ts";
import { globMatch } from "../../../src/engine/policy/glob.ts";
import { policyFromTools, toolNames } from "../../../src/engine/policy/tools.ts";
import { redactTranscript } from "../../../src/engine/prompt/visibility.ts";
import type { Json, JsonObject } from "../../../src/lib/json.ts";
import { decodeDocument } from "../../../src/schema/decode.ts";
import {
  type CapabilityPolicy,
  decodeApprovalPolicy,
  decodeCapabilityPolicy,
  decodeModelPolicy,
  type ToolAnnotations,
  type ToolApprovalPolicy,
  toolAnnotationsSchema,
} from "../../../src/schema/policy.ts";
import { OperationFailure, type Operations, textArg, valueOf } from "../operation.ts";

const approvalArg = (args: JsonObject, name: string): ToolApprovalPolicy =>
  valueOf(decodeApprovalPolicy(args[name] ?? {}, "approval policy"));

const annotationsOf = (value: Json): ToolAnnotations | null =>
  value === null ? null : valueOf(decodeDocument(toolAnnotationsSchema, "tool annotations", value));

const ALLOWED = { allowed: true };

/** Runs a check under the policy of a step, if one is active; what it refuses is of kind `tool_rejected`. */
const underPolicy = (args: JsonObject, check: (policy: CapabilityPolicy) => string | null) => {
  const given = args["policy"] ?? null;
  const excess = given === null ? null : check(valueOf(decodeCapabilityPolicy(given)));
  if (excess !== null) throw new OperationFailure(excess, "tool_rejected");
  return ALLOWED;
};

const runHooks = (args: JsonObject) => {
  const call = {
    hooks: valueOf(decodeToolHooks(args["hooks"] ?? [])),
    tool: textArg(args, "tool"),
    args: args["args"] ?? null,
  };
  const before = valueOf(preToolHooks(call));
  if (before.decision === "deny") return before;
  return { ...before, result: valueOf(postToolHooks({ ...call, args: before.args }, args["result"] ?? null)) };
};

const policyOrNull = (value: Json | undefined): CapabilityPolicy | null =>
  value === undefined || value === null ? null : valueOf(decodeCapabilityPolicy(value));

/** Policies (spec/workflow 10, 11.3, 14.6 and 17.1). */
export const policyOperations: Operations = {
  intersect_policy: (_system, args) => {
    const ceiling = valueOf(decodeCapabilityPolicy(args["ceiling"] ?? {}));
    return valueOf(intersectPolicies(ceiling, valueOf(decodeCapabilityPolicy(args["requested"] ?? {}))));
  },
  evaluate_approval: (_system, args) =>
    evaluateApproval({
      policy: approvalArg(args, "policy"),
      tool: textArg(args, "tool"),
      args: args["args"] ?? null,
      annotations: annotationsOf(args["annotations"] ?? null),
    }),
  intersect_approval: (_system, args) =>
    intersectApprovalPolicies(approvalArg(args, "ceiling"), approvalArg(args, "requested")),
  check_tool: (_system, args) => underPolicy(args, (policy) => toolExcess(policy, textArg(args, "tool"))),
  check_tool_args: (_system, args) =>
    underPolicy(args, (policy) => {
      const tool = textArg(args, "tool");
      const call = { tool, args: args["args"] ?? null, annotations: policyAnnotations(policy, tool) };
      return argumentFinding(policy, call).violation;
    }),
  check_builtin: (_system, args) => underPolicy(args, (policy) => builtinExcess(policy, textArg(args, "name"))),
  check_bridge_builtin: (_system, args) =>
    underPolicy(args, () => bridgedExcess(textArg(args, "name"), args["trusted"] === true)),
  check_host_call: (_system, args) => underPolicy(args, (policy) => hostCallExcess(policy, textArg(args, "name"))),
  run_tool_hooks: (_system, args) => runHooks(args),
  resolve_worker_policy: (_system, args) => {
    const config = valueOf(decodeWorkerPolicy((args["config"] ?? {}) as JsonObject));
    return valueOf(resolveWorkerPolicy({ ...config, parent: policyOrNull(args["parent_policy"]) }));
  },
  glob_match: (_system, args) => globMatch(textArg(args, "pattern"), textArg(args, "name")),
  tool_names: (_system, args) => toolNames(args["tools"] ?? null),
  tool_policy: (_system, args) => policyFromTools(args["tools"] ?? null),
  parse_turn_policy: (_system, args) =>
    valueOf(decodeModelPolicy({ turn_policy: args["value"] ?? null }, "turn policy")).turn_policy,
  redact_transcript: (_system, args) => {
    const visibility = args["visibility"];
    return redactTranscript(args["transcript"] ?? null, typeof visibility === "string" ? visibility : null);
  },
};
