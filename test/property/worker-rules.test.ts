import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allowsOperation, allowsTool } from "../../src/engine/policy/capability.ts";
import { sideEffectRank } from "../../src/engine/policy/side-effect.ts";
import { restart } from "../../src/engine/worker/restart.ts";
import { restoredWorker } from "../../src/engine/worker/restored-worker.ts";
import { parseResumeConditions } from "../../src/engine/worker/resume-conditions.ts";
import { snapshotOf } from "../../src/engine/worker/snapshot.ts";
import { resolveSpawn } from "../../src/engine/worker/spawn.ts";
import { compactedTranscript } from "../../src/engine/worker/transcript-carry.ts";
import type { Json, JsonObject } from "../../src/lib/json.ts";
import { type CapabilityPolicy, SIDE_EFFECT_LEVELS } from "../../src/schema/policy.ts";
import { decodeSpawnConfig } from "../../src/schema/worker-spawn.ts";
import { decodeSnapshot } from "../../src/schema/worker-snapshot.ts";
import { countedContext, loaded } from "../unit/worker/from-snapshot.ts";

const NAMES = ["a", "b", "c"] as const;
/** Only what JSON can carry: no negative zero. */
const anyJson = fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.parse(JSON.stringify(value)) as Json);
const name = fc.constantFrom(...NAMES);
const names = fc.uniqueArray(name);

const sparse = <Shape extends object>(model: { [Key in keyof Shape]: fc.Arbitrary<Shape[Key]> }) =>
  fc.record(model, { requiredKeys: [] });

const policy: fc.Arbitrary<JsonObject> = sparse({
  tools: names,
  capabilities: fc.dictionary(name, names, { maxKeys: 2 }),
  workspace_roots: names,
  side_effect_level: fc.option(fc.constantFrom(...SIDE_EFFECT_LEVELS)),
  recursion_limit: fc.option(fc.nat(9)),
});

const WORK = [{ graph: { nodes: { a: {} } } }, { node: { kind: "stage" } }] as const satisfies readonly JsonObject[];

/** What a worker, or one of its own, asks for when it starts another. */
const config: fc.Arbitrary<JsonObject> = fc.oneof(
  fc
    .tuple(
      sparse({ policy: fc.option(policy), tools: fc.uniqueArray(name, { minLength: 1 }) }),
      sparse({ policy: fc.option(policy), tools: fc.uniqueArray(name, { minLength: 1 }) }),
      fc.constantFrom(...WORK),
    )
    .map(([given, carry, work]): JsonObject => ({ task: "t", ...given, carry, ...work })),
  fc
    .tuple(sparse({ policy }), sparse({ policy, allowed_tools: names, carry: sparse({ policy }) }))
    .map(([given, options]): JsonObject => ({ task: "t", ...given, sub_agent: options })),
);

const spawn = (given: Json, parent: CapabilityPolicy | null) => {
  const draft = decodeSpawnConfig(given);
  if (!draft.ok) return draft;
  const scope = { policy: parent, audit: null, session_id: null, check_trigger: () => null };
  return resolveSpawn(draft.value, scope, countedContext());
};

const isRoot = (value: CapabilityPolicy, root: string): boolean =>
  value.workspace_roots.includes(root) ||
  (value.workspace_roots.length === 0 && !(value.denied_all?.includes("workspace_roots") ?? false));

const rank = (level: string | null): number => (level === null ? Infinity : sideEffectRank(level));

/** What a policy lets a worker do, each thing by a name. */
const allowed = (value: CapabilityPolicy | null): ReadonlySet<string> => {
  const all = value === null;
  const found: string[] = [];
  for (const one of [...NAMES, "other"]) {
    if (all || allowsTool(value, one)) found.push(`tool ${one}`);
    if (all || isRoot(value, one)) found.push(`root ${one}`);
    for (const operation of [...NAMES, "other"])
      if (all || allowsOperation(value, one, operation)) found.push(`${one}.${operation}`);
  }
  return new Set(found);
};

const snapshotJson = (config_: JsonObject): fc.Arbitrary<JsonObject> =>
  sparse({
    id: fc.constant("worker_1"),
    name: fc.string(),
    task: fc.string(),
    status: fc.constantFrom("running", "awaiting", "suspended", "completed", "failed", "stopped", "interrupted"),
    mode: fc.constantFrom("workflow", "stage", "sub_agent", "delegated_stage", "top_level_agent"),
    created_at: fc.string(),
    started_at: fc.string(),
    finished_at: fc.option(fc.string()),
    history: fc.array(fc.string()),
    config: fc.constant(config_),
    request: sparse({
      task: fc.string(),
      payload: anyJson,
      action_items: fc.array(fc.string()),
    }),
    latest_payload: anyJson,
    latest_error: fc.option(fc.string()),
    transcript: fc.option(fc.constant({ id: "t", messages: [{ role: "user", content: "hi" }] })),
    artifacts: fc.array(sparse({ id: fc.string(), kind: name, text: fc.string() }), { maxLength: 3 }),
    child_run_path: fc.option(fc.string()),
    carry_policy: sparse({
      artifact_mode: fc.constantFrom("inherit", "none", ""),
      transcript_mode: fc.constantFrom("inherit", "fork", "reset", "compact", ""),
      resume_workflow: fc.boolean(),
      persist_state: fc.boolean(),
      retriggerable: fc.boolean(),
      policy: fc.option(policy),
      context_policy: sparse({ max_artifacts: fc.nat(2) }),
    }),
    execution: sparse({ cwd: fc.option(fc.string()), env: fc.dictionary(fc.string(), fc.string(), { maxKeys: 2 }) }),
    audit: sparse({ session_id: fc.string(), mutation_scope: fc.string() }),
    cycle: fc.nat(),
  }).map((fields): JsonObject => ({ ...(fields as JsonObject), config: config_ }));

const snapshot = fc.oneof(
  snapshotJson({ mode: "workflow", graph: { id: "g", nodes: { a: {} } }, options: { max_steps: 1 } }),
  snapshotJson({ mode: "stage", node: { kind: "stage", metadata: { k: 1 } } }),
  snapshotJson({ mode: "sub_agent", spec: { name: "s", session_id: "x", options: {} } }),
);

describe("a chain of spawned workers", () => {
  it("[L-32.7] no worker may do what the one that started it may not", () => {
    let spawned = 0;
    fc.assert(
      fc.property(fc.array(config, { minLength: 1, maxLength: 5 }), (configs) => {
        let parent: CapabilityPolicy | null = null;
        for (const given of configs) {
          const child = spawn(given, parent);
          if (!child.ok) continue;
          spawned += 1;
          const next: CapabilityPolicy | null = child.value.carry_policy.policy;
          const before = allowed(parent);
          expect([...allowed(next)].filter((one) => !before.has(one))).toEqual([]);
          expect(rank(next?.side_effect_level ?? null)).toBeLessThanOrEqual(rank(parent?.side_effect_level ?? null));
          expect(next?.recursion_limit ?? Infinity).toBeLessThanOrEqual(parent?.recursion_limit ?? Infinity);
          // What is stored is what is in force after a restart too.
          parent = next === null ? null : (JSON.parse(JSON.stringify(next)) as CapabilityPolicy);
        }
      }),
      { numRuns: 500 },
    );
    expect(spawned).toBeGreaterThan(300);
  });
});

describe("snapshots", () => {
  it("[L-12.4] a worker that is stored and loaded is the same worker", () => {
    fc.assert(
      fc.property(snapshot, (given) => {
        const first = loaded(given);
        if (!first.ok) throw new Error(first.error);
        const stored = JSON.parse(JSON.stringify(snapshotOf(first.value))) as Json;
        const again = loaded(stored);
        // Only the modes that a snapshot without a carry policy does not have are spelled out once it is stored.
        const { artifact_mode: artifacts, transcript_mode: transcript } = first.value.carry_policy;
        const carry_policy = {
          ...first.value.carry_policy,
          artifact_mode: artifacts || "inherit",
          transcript_mode: transcript || "inherit",
        };
        expect(again).toEqual({ ok: true, value: { ...first.value, carry_policy } });
      }),
      { numRuns: 300 },
    );
  });

  it("[L-12.4] whatever is loaded, a worker comes of it or a text that says why not", () => {
    fc.assert(
      fc.property(anyJson, fc.constantFrom("workflow", "stage", "sub_agent"), (value, mode) => {
        for (const given of [value, { config: value }, { config: { mode, graph: value, node: value, spec: value } }]) {
          const decoded = decodeSnapshot(given);
          if (!decoded.ok) expect(decoded.error).not.toBe("");
          else expect(restoredWorker(decoded.value, { tenant: "t", path: "p" }, countedContext())).toHaveProperty("ok");
        }
      }),
    );
  });
});

const messageCount = (transcript: Json): number =>
  (transcript as { readonly messages: readonly Json[] }).messages.length;

describe("restarts", () => {
  it("[L-16] neither change the worker they were given nor what it was asked for", () => {
    fc.assert(
      fc.property(snapshot, fc.string(), fc.boolean(), (given, task, clear) => {
        const before = loaded(given);
        if (!before.ok) throw new Error(before.error);
        const kept = JSON.stringify(before.value);
        const after = restart(before.value, { task, clear_payload: clear }, countedContext());
        expect(JSON.stringify(before.value)).toBe(kept);
        if (!after.ok) throw new Error(after.error);
        expect(after.value).toMatchObject({
          task,
          status: "running",
          history: [...before.value.history, task],
          request: before.value.request,
          created_at: before.value.created_at,
          carry_policy: before.value.carry_policy,
        });
        expect(after.value.config.mode).toBe(before.value.config.mode);
      }),
      { numRuns: 200 },
    );
  });

  it("[L-4] a transcript compacted twice in a row is as short as once", () => {
    const role = fc.constantFrom("user", "assistant", "tool_result");
    const messages = fc.array(fc.record({ role, content: fc.string() }), { maxLength: 12 });
    fc.assert(
      fc.property(messages, (given) => {
        const once = compactedTranscript({ id: "t", messages: given });
        expect(messageCount(once)).toBeLessThanOrEqual(given.length);
        expect(messageCount(compactedTranscript(once))).toBeLessThanOrEqual(messageCount(once));
      }),
    );
  });
});

describe("what people write", () => {
  it("[L-2] any config is a request or a text that says what is wrong", () => {
    fc.assert(
      fc.property(anyJson, anyJson, (value, part) => {
        const node = { kind: "stage" };
        const configs = [value, { task: value, node: part }, { task: "t", node, carry: value, policy: part }];
        for (const given of [...configs, { task: "t", sub_agent: value }, { task: "t", node, execution: value }]) {
          const request = spawn(given, null);
          if (!request.ok) expect(request.error).not.toBe("");
        }
      }),
    );
  });

  it("[L-18.1] conditions that were read are read as themselves", () => {
    const conditions = sparse({
      trigger: fc.option(fc.constant({ provider: "github" })),
      timeout: fc.option(
        sparse({ duration_minutes: fc.integer({ min: -1, max: 9 }), on_timeout: fc.constantFrom("fail", "x") }),
      ),
      on_event: fc.option(fc.constantFrom("a.b", " c ", "")),
    });
    fc.assert(
      fc.property(fc.oneof(conditions, anyJson), (value) => {
        const read = parseResumeConditions(value as Json, () => null);
        if (read.ok) expect(parseResumeConditions(read.value as Json, () => null)).toEqual(read);
        else expect(read.error).toMatch(/^HARN-SUS-002: /);
      }),
    );
  });
});
