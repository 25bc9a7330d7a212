import {
  lifecycleLog,
  matchingBindings,
  resolveLive,
  resolveLiveOrAsOf,
  versionAsOf,
} from "../../../src/engine/trigger/binding-history.ts";
import {
  beginInFlight,
  finishInFlight,
  listedVersions,
  type LoadOutcome,
} from "../../../src/engine/trigger/binding-load.ts";
import { fingerprintOf } from "../../../src/engine/trigger/binding.ts";
import { type ExistingTrigger, planManifest } from "../../../src/engine/trigger/manifest.ts";
import { tenantTopic } from "../../../src/engine/trigger/topics.ts";
import type { Rejection } from "../../../src/engine/machine.ts";
import { byCodePoint, type Json, type JsonObject } from "../../../src/lib/json.ts";
import type { Result } from "../../../src/lib/result.ts";
import type { StoredDefinition } from "../../../src/schema/trigger-definition.ts";
import { listArg, OperationFailure, type Operations, textArg, valueOf } from "../operation.ts";
import type { System } from "../system.ts";
import type { TriggerObject } from "../trigger-objects.ts";

const valueOrRefusal = <Value>(result: Result<Value, Rejection>): Value =>
  valueOf(result.ok ? result : { ok: false, error: { message: result.error.detail } });

const momentArg = (args: JsonObject, name: string): number => {
  const at = args[name];
  const moment = typeof at === "string" ? Date.parse(at) : Number(at);
  if (Number.isNaN(moment)) throw new Error(`not a moment: ${JSON.stringify(at)}`);
  return moment;
};

const optionalText = (value: Json | undefined): string | null => (typeof value === "string" ? value : null);

/** A definition of the product that has the fingerprint of the vector's trigger in it. */
const definitionOf = (trigger: JsonObject): StoredDefinition => ({
  provider: (optionalText(trigger["provider"]) ?? "webhook") as StoredDefinition["provider"],
  kind: optionalText(trigger["kind"]) ?? "webhook",
  match: { events: listArg(trigger, "match_events").map(String) },
  handler: { workflow: "handler", task: optionalText(trigger["fingerprint"]) ?? "none" },
  dedupe: {},
  max_body_bytes: 1,
});

const existing = (system: System): readonly ExistingTrigger[] =>
  system.triggers.all.flatMap(([id, { state }]) =>
    state.status === "absent" || state.status === "deleted"
      ? []
      : [{ id, source: state.source, fingerprint: state.current.fingerprint }],
  );

const installManifest = (system: System, args: JsonObject): unknown => {
  const incoming = listArg(args, "triggers").map((each) => {
    const trigger = each as JsonObject;
    const definition = definitionOf(trigger);
    return { id: textArg(trigger, "id"), definition, fingerprint: fingerprintOf(definition) };
  });
  const plan = planManifest(existing(system), incoming);
  if (!plan.ok) throw new OperationFailure(plan.error.message);
  for (const { id, definition } of incoming)
    system.triggers.named(id).tell({ type: "configure", trigger_id: id, definition, source: "manifest" });
  for (const id of plan.value.removed) system.triggers.named(id).tell({ type: "delete", source: "manifest" });
  return plan.value;
};

const registerDynamic = (system: System, args: JsonObject): JsonObject => {
  const trigger = args["trigger"] as JsonObject;
  const id = optionalText(trigger["id"])?.trim() || system.clock.nextId("dynamic_trigger");
  const definition = definitionOf(trigger);
  system.triggers.named(id).tell({ type: "configure", trigger_id: id, definition, only_new: true });
  return { id };
};

/** The object of a trigger that has a live version. */
const liveTrigger = (system: System, args: JsonObject): TriggerObject => {
  const id = textArg(args, "id");
  const object = system.triggers.named(id);
  valueOrRefusal(resolveLive(object.state, id));
  return object;
};

const keyArg = (system: System, args: JsonObject) => {
  const trigger_id = textArg(args, "id");
  return { object: system.triggers.named(trigger_id), trigger_id, version: Number(args["version"]) };
};

const begin = (system: System, args: JsonObject): void => {
  const { object, ...key } = keyArg(system, args);
  object.setLoad(valueOrRefusal(beginInFlight(object.state, object.load, { ...key, now: system.clock.now })));
};

const finish = (system: System, args: JsonObject): void => {
  const { object, ...key } = keyArg(system, args);
  const outcome = textArg(args, "outcome") as LoadOutcome;
  object.setLoad(valueOrRefusal(finishInFlight(object.load, { ...key, outcome })));
};

const resolveBinding = (system: System, args: JsonObject): unknown => {
  const id = textArg(args, "id");
  const recorded = args["recorded_version"] ?? null;
  const version = recorded === null ? null : Number(recorded);
  const at = { version, received_at: momentArg(args, "received_at") };
  const { binding, fallback } = valueOrRefusal(resolveLiveOrAsOf(system.triggers.named(id).state, id, at));
  return { version: binding.version, fallback };
};

/** Every trigger with its load: those that are only registered, and those that dispatch. */
const bindings = (system: System) => {
  const registered = system.triggers.all.map(([id, { state, load }]) => ({ id, state, load }));
  const dispatched = system.dispatcher.hosts.map(({ id, shell }) => ({
    id,
    state: shell.binding.state,
    load: shell.load,
  }));
  return [...registered, ...dispatched].toSorted((left, right) => byCodePoint(left.id, right.id));
};

const claimArgs = (args: JsonObject) => ({
  bindingId: textArg(args, "binding_id"),
  dedupe_key: textArg(args, "dedupe_key"),
});

/** Bindings, claims and topics (spec/triggers 6, 7.1, 24). */
export const triggerOperations: Operations = {
  install_manifest: installManifest,
  register_dynamic: registerDynamic,
  deregister_dynamic: (system, args) => void liveTrigger(system, args).tell({ type: "delete", source: "dynamic" }),
  drain_trigger: (system, args) => void liveTrigger(system, args).tell({ type: "delete" }),
  begin_in_flight: begin,
  finish_in_flight: finish,
  list_bindings: (system) => bindings(system).flatMap(({ state, load }) => listedVersions(state, load)),
  lifecycle_log: (system, args) => {
    const id = optionalText(args["id"]);
    const all = bindings(system).flatMap((binding) =>
      id === null || binding.id === id ? lifecycleLog(binding.state) : [],
    );
    return all.toSorted((left, right) => Date.parse(left.at) - Date.parse(right.at));
  },
  matching_bindings: (system, args) => {
    const event = args["event"] as JsonObject;
    const [provider, kind] = [textArg(event, "provider"), textArg(event, "kind")];
    const states = bindings(system).map(({ state }) => state);
    return matchingBindings(states, { provider, kind, provider_payload: {} });
  },
  binding_version_as_of: (system, args) => {
    const id = textArg(args, "id");
    return valueOrRefusal(versionAsOf(system.triggers.named(id).state, id, momentArg(args, "at")));
  },
  resolve_binding: resolveBinding,
  inbox_claim: (system, args) => {
    const { bindingId, dedupe_key } = claimArgs(args);
    return { new: system.claims.claim(bindingId, { kind: "claim", dedupe_key, ttl_ms: Number(args["ttl_ms"]) }) };
  },
  inbox_claims: (system) => system.claims.records,
  inbox_metrics: (system) => system.claims.metrics,
  inbox_seed_legacy_claim: (system, args) => {
    const { bindingId, dedupe_key } = claimArgs(args);
    const ttl_ms = momentArg(args, "expires_at_ms") - system.clock.now;
    system.claims.claim(bindingId, { kind: "legacy_claim", dedupe_key, ttl_ms });
  },
  tenant_topic: (_system, args) => valueOf(tenantTopic(textArg(args, "tenant"), textArg(args, "topic"))),
};
