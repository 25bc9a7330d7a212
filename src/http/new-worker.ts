import { validateGraph } from "../engine/graph/validate.ts";
import { BUILTIN_CEILING } from "../engine/policy/capability.ts";
import type { SpawnWorker } from "../engine/worker/command.ts";
import { resolveSpawn, type SpawnRequest, type SpawnScope } from "../engine/worker/spawn.ts";
import { digestOf } from "../lib/digest.ts";
import { isObject, type JsonObject } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import type { WebhookOrder } from "../engine/worker/webhook.ts";
import { egressRefusal } from "../executor/private-hosts.ts";
import { findTenantWebhook } from "../ports/worker-webhook.ts";
import { decodeWebhookOrder } from "../schema/worker-webhook.ts";
import { fromDatabase } from "./fault.ts";
import { uuidIds } from "../ports/ids.ts";
import { decodeCapabilityPolicy } from "../schema/policy.ts";
import { decodeMutationSession } from "../schema/record.ts";
import { checkTrigger } from "../schema/resume-trigger.ts";
import { decodeSpawnConfig } from "../schema/worker-spawn.ts";
import type { Call } from "./call.ts";
import { idFor } from "./idempotency.ts";
import { invalid, problem, type Problem } from "./problem.ts";
import { awakenable } from "./worker-conditions.ts";
import { spawnPath } from "./spawn-path.ts";
import { workerNotFound, workerObject } from "./worker-object.ts";

const OPERATION = "spawn_worker";

const NO_SCOPE: SpawnScope = { policy: null, audit: null, session_id: null, check_trigger: checkTrigger };

/** What a worker that another one starts inherits: that one's ceiling and its audit (spec/workers 3.2, 7). */
const scopeOf = async (call: Call, parentId: string | null): Promise<Result<SpawnScope, Problem>> => {
  if (parentId === null) return ok(NO_SCOPE);
  const parent = await workerObject(call.env, call.tenant, parentId).snapshot();
  if (parent === null) return err(workerNotFound(parentId));
  const carry = isObject(parent["carry_policy"]) ? parent["carry_policy"] : {};
  const policy = carry["policy"] == null ? ok(null) : decodeCapabilityPolicy(carry["policy"]);
  const audit = decodeMutationSession(parent["audit"], "worker audit");
  if (!policy.ok || !audit.ok) return err(problem("internal_error", `worker ${parentId} cannot be read`));
  return ok({ ...NO_SCOPE, policy: policy.value, audit: audit.value, session_id: audit.value.session_id || null });
};

const EXCEEDS = "exceed";

/** A spawn config that is wrong: beyond its ceiling, or not valid, in the words of the specification (spec/workers 2). */
const refusal = (text: string): Problem =>
  text.includes(EXCEEDS) && text.includes("host ceiling")
    ? problem("policy_exceeds_ceiling", text)
    : invalid([{ path: spawnPath(text), message: text }], text);

const graphProblem = ({ config }: SpawnRequest): Problem | null => {
  if (config.mode !== "workflow") return null;
  const { valid, errors, warnings } = validateGraph(config.graph, BUILTIN_CEILING);
  if (valid) return null;
  return problem("graph_invalid", `spawn_agent: invalid workflow: ${errors.join("; ")}`, { errors, warnings });
};

/** A worker that is asked for, ready to be made. */
export interface NewWorker {
  readonly command: SpawnWorker;
  readonly wait: boolean;
  readonly parent_worker_id: string | null;
}

/** Where the events of a new worker go: where its config says, else where its tenant wants them. */
const webhookOf = async (call: Call, config: JsonObject): Promise<Result<WebhookOrder | null, Problem>> => {
  const order = decodeWebhookOrder(config["webhook"]);
  if (!order.ok) return err(refusal(order.error));
  const target = order.value?.target;
  if (target === undefined || target === "tenant") {
    const found = await fromDatabase(findTenantWebhook(call.env.DB, call.tenant));
    return ok(found === null ? null : { target: "tenant", events: found.events });
  }
  const refused = egressRefusal(new URL(target.url), call.env.GODWIT_ALLOW_PRIVATE_HOSTS);
  return refused === undefined ? order : err(invalid([{ path: "webhook.url", message: refused }], refused));
};

/** Reads a spawn config (spec/workers 2). With an idempotency key the worker's id follows from it. */
export const newWorker = async (call: Call, config: JsonObject): Promise<Result<NewWorker, Problem>> => {
  const draft = decodeSpawnConfig(config);
  if (!draft.ok) return err(refusal(draft.error));
  const given = config["parent_worker_id"];
  const parentId = typeof given === "string" && given !== "" ? given : null;
  const scope = await scopeOf(call, parentId);
  if (!scope.ok) return scope;
  const request = resolveSpawn(draft.value, scope.value, { now: Date.now(), nextId: uuidIds });
  if (!request.ok) return err(refusal(request.error));
  const asleep = awakenable(call.env, request.value.resume_when ?? null);
  const wrong = asleep ?? graphProblem(request.value);
  if (wrong !== null) return err(wrong);
  const { wait, ...init } = request.value;
  const webhook = await webhookOf(call, config);
  if (!webhook.ok) return webhook;
  const known = idFor(call, OPERATION);
  const command: SpawnWorker = {
    type: "spawn",
    tenant: call.tenant,
    worker_id: known === null ? uuidIds("worker") : `worker_${known}`,
    ...init,
    ...(webhook.value === null ? {} : { webhook: webhook.value }),
    // What was made anew in reading it, ids of sessions and artifacts, makes no other request of it.
    request_digest: digestOf(config),
    parent_worker_id: parentId,
    parent_stage_id: null,
    parent: null,
  };
  return ok({ command, wait, parent_worker_id: parentId });
};
