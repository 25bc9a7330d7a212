import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { type CapabilityPolicy, decodeCapabilityPolicy } from "./policy.ts";

/** What a worker's config says about its policy. */
export interface WorkerPolicyConfig {
  readonly explicit: CapabilityPolicy | null;
  readonly tools?: Json;
}

const givenIn = (config: JsonObject, carry: JsonObject, key: string): Json | undefined =>
  Object.hasOwn(carry, key) ? carry[key] : Object.hasOwn(config, key) ? config[key] : undefined;

/**
 * Reads `carry.policy` or `policy`, and `carry.tools` or `tools`, of a worker's config (spec/workflow 11.3). The error is
 * `spawn_agent: policy parse error: {e}`; the tools are judged where the policies meet.
 */
export const decodeWorkerPolicy = (config: JsonObject): Result<WorkerPolicyConfig, string> => {
  const carry = isObject(config["carry"]) ? config["carry"] : {};
  const tools = givenIn(config, carry, "tools");
  const shorthand = tools === undefined ? {} : { tools };
  const given = givenIn(config, carry, "policy") ?? null;
  if (given === null) return ok({ explicit: null, ...shorthand });
  const policy = decodeCapabilityPolicy(given);
  return policy.ok ? ok({ explicit: policy.value, ...shorthand }) : err(`spawn_agent: ${policy.error.message}`);
};
