import { evaluateApproval, intersectApprovalPolicies } from "../../../src/engine/policy/approval.ts";
import { intersectPolicies } from "../../../src/engine/policy/capability.ts";
import { globMatch } from "../../../src/engine/policy/glob.ts";
import { policyFromTools, toolNames } from "../../../src/engine/policy/tools.ts";
import { redactTranscript } from "../../../src/engine/prompt/visibility.ts";
import type { Json, JsonObject } from "../../../src/lib/json.ts";
import { decodeDocument } from "../../../src/schema/decode.ts";
import {
  decodeApprovalPolicy,
  decodeCapabilityPolicy,
  decodeModelPolicy,
  type ToolAnnotations,
  type ToolApprovalPolicy,
  toolAnnotationsSchema,
} from "../../../src/schema/policy.ts";
import { type Operations, textArg, valueOf } from "../operation.ts";

const approvalArg = (args: JsonObject, name: string): ToolApprovalPolicy =>
  valueOf(decodeApprovalPolicy(args[name] ?? {}, "approval policy"));

const annotationsOf = (value: Json): ToolAnnotations | null =>
  value === null ? null : valueOf(decodeDocument(toolAnnotationsSchema, "tool annotations", value));

/** Policies (spec/workflow 10 and 14.6). */
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
