import * as z from "zod";
import type { Json, JsonObject } from "../lib/json.ts";
import { ok, type Result } from "../lib/result.ts";
import { decodeAt, type DecodeError } from "./decode.ts";
import { capabilityPolicySchema, toolApprovalPolicySchema } from "./policy.ts";

// What whoever executes a stage may say about its policies; all other options pass as they are.
const stageOptionsSchema = z
  .looseObject({
    capability_policy: capabilityPolicySchema.nullable().optional(),
    policy: capabilityPolicySchema.nullable().optional(),
    approval_policy: toolApprovalPolicySchema.nullable().optional(),
    tools: z
      .union([z.array(z.union([z.string(), z.looseObject({ name: z.string() })])), z.looseObject({})], {
        error: "expected tool names, or declarations with a name",
      })
      .nullable()
      .optional(),
  })
  .readonly();

/** Decodes the options a stage is prepared with (spec/workflow 10.5); errors carry the path within the options. */
export const decodeStageOptions = (value: JsonObject): Result<JsonObject, DecodeError> => {
  const decoded = decodeAt(stageOptionsSchema, value);
  if (decoded.ok) return ok(decoded.value as { readonly [key: string]: unknown } as { readonly [key: string]: Json });
  const [first] = decoded.error;
  return {
    ok: false,
    error: { message: `${first?.path ?? "."}: ${first?.message ?? "invalid value"}`, issues: decoded.error },
  };
};
