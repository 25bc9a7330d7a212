import { type Answer, reject } from "../engine/machine.ts";
import { fingerprintOf, storedDefinition } from "../engine/trigger/binding.ts";
import { type ExistingTrigger, type ManifestPlan, planManifest } from "../engine/trigger/manifest.ts";
import { type ManifestTable, spreadManifest, tablePrefix } from "../engine/trigger/manifest-sources.ts";
import type { JsonObject } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { decodeAt } from "../schema/decode.ts";
import { type Manifest, type ManifestSummary, MAX_MANIFEST_TRIGGERS } from "../schema/trigger-manifest.ts";
import { triggerDefinitionSchema } from "../schema/trigger-definition.ts";
import type { Call } from "./call.ts";
import { comingPaths, type ManifestTrigger, pathIssues } from "./manifest-paths.ts";
import { type ComingPaths, pathLost } from "./path-claim.ts";
import { invalid, type Issue, problem, type Problem } from "./problem.ts";
import { done, type Outcome } from "./router.ts";
import { triggerObject } from "./trigger-object.ts";
import { tellShards } from "./trigger-shards.ts";
import { codeVersion, putIssues, putTrigger } from "./trigger-put.ts";
import { forgetTrigger, listManifestTriggers, storeTrigger } from "./trigger-rows.ts";

/** So many objects are asked at a time. */
const AT_ONCE = 20;

const UNREACHABLE = "could not be reached";

/** Where something stands in the manifest that was sent. */
const pathOf = ({ table, source }: Pick<ManifestTable, "table" | "source">, path = "."): string => {
  const at = source === null ? `triggers[${table}]` : `triggers[${table}].sources[${source}]`;
  return path === "." ? at : `${at}.${path}`;
};

const decoded = (call: Call, table: ManifestTable): Result<ManifestTrigger, readonly Issue[]> => {
  const { id } = table;
  if (id.trim() === "") return err([{ path: "id", message: "id cannot be empty" }]);
  const definition = decodeAt(triggerDefinitionSchema, table.definition);
  if (!definition.ok) return definition;
  const issues = putIssues(call.env, id, definition.value);
  return issues.length > 0
    ? err(issues)
    : ok({ id, definition: definition.value, path: pathOf(table), prefix: tablePrefix(table) });
};

/** All triggers of a manifest, or everything that is wrong with any of them (spec/triggers 5.7). */
const triggersOf = (call: Call, manifest: Manifest): Result<readonly ManifestTrigger[], Problem> => {
  const tables = manifest.triggers.map((table) => ({ id: table.id, definition: table as JsonObject }));
  const { triggers, problems } = spreadManifest(tables);
  const issues = problems.map((one) => ({ path: pathOf(one), message: `${tablePrefix(one)}${one.message}` }));
  if (triggers.length > MAX_MANIFEST_TRIGGERS)
    issues.push({ path: "triggers", message: `a manifest has at most ${MAX_MANIFEST_TRIGGERS} triggers` });
  const found: ManifestTrigger[] = [];
  for (const table of triggers) {
    if (problems.some((one) => one.table === table.table && one.source === table.source)) continue;
    const trigger = decoded(call, table);
    if (trigger.ok) found.push(trigger.value);
    else
      for (const { path, message } of trigger.error)
        issues.push({ path: pathOf(table, path), message: `${tablePrefix(table)}${message}` });
  }
  return issues.length > 0 ? err(invalid(issues)) : ok(found);
};

interface Ended<Item, Value> {
  readonly item: Item;
  readonly result: PromiseSettledResult<Value>;
}

/** Does something for each item, a few at a time; a failure of one stops no other. */
const forEach = async <Item, Value>(
  items: readonly Item[],
  work: (item: Item) => Promise<Value>,
): Promise<readonly Ended<Item, Value>[]> => {
  const ended: Ended<Item, Value>[] = [];
  for (let start = 0; start < items.length; start += AT_ONCE) {
    const part = items.slice(start, start + AT_ONCE);
    const results = await Promise.allSettled(part.map(work));
    for (const [index, item] of part.entries()) {
      const result = results[index];
      if (result !== undefined) ended.push({ item, result });
    }
  }
  return ended;
};

const existingTrigger = async (call: Call, id: string): Promise<readonly ExistingTrigger[]> => {
  const found = await triggerObject(call.env, call.tenant, id).show();
  return found === null ? [] : [{ id, source: found.trigger.source, fingerprint: found.trigger.fingerprint }];
};

/** What is there: each trigger of the manifest is asked itself, of the others the list tells which are a manifest's. */
const existingTriggers = async (
  call: Call,
  incoming: readonly ManifestTrigger[],
): Promise<Result<readonly ExistingTrigger[], Problem>> => {
  const ids = new Set(incoming.map((trigger) => trigger.id));
  const asked = await forEach([...ids], (id) => existingTrigger(call, id));
  const lost = asked.filter(({ result }) => result.status === "rejected");
  if (lost.length > 0)
    return err(
      failed(
        [],
        lost.map(({ item }) => ({ trigger_id: item, message: UNREACHABLE })),
      ),
    );
  const known = asked.flatMap(({ result }) => (result.status === "fulfilled" ? result.value : []));
  const owned = await listManifestTriggers(call.env.DB, call.tenant);
  const others = owned.filter((row) => !ids.has(row.trigger_id));
  return ok([...known, ...others.map((row) => ({ id: row.trigger_id, source: "manifest", fingerprint: "" }) as const)]);
};

interface Failure {
  readonly trigger_id: string;
  readonly message: string;
}

const failed = (applied: readonly string[], failures: readonly Failure[]): Problem => {
  const detail = `${failures.length} of the manifest's triggers could not be changed; put the manifest again`;
  return problem("unavailable", detail, { applied, failed: failures.map((one) => ({ ...one })) });
};

/** Changes some triggers; answers which were changed and which were not. */
const changeEach = async <Item extends { readonly id: string }>(
  items: readonly Item[],
  change: (item: Item) => Promise<Answer<unknown>>,
): Promise<{ readonly applied: readonly string[]; readonly failures: readonly Failure[] }> => {
  const applied: string[] = [];
  const failures: Failure[] = [];
  for (const { item, result } of await forEach(items, change)) {
    if (result.status === "fulfilled" && result.value.ok) applied.push(item.id);
    else if (result.status === "rejected") failures.push({ trigger_id: item.id, message: UNREACHABLE });
    else if (!result.value.ok) failures.push({ trigger_id: item.id, message: result.value.rejection.detail });
  }
  return { applied, failures };
};

const put = async (call: Call, { id, definition }: ManifestTrigger, coming: ComingPaths): Promise<Answer<unknown>> => {
  const stored = await putTrigger(call, { trigger_id: id, source: "manifest", coming }, definition);
  if (!stored.ok) return reject(stored.error.code, stored.error.detail);
  const answer = stored.value;
  const found = answer.ok ? await triggerObject(call.env, call.tenant, id).show() : null;
  if (found === null) return answer;
  await tellShards(call.env, { tenant: call.tenant, trigger_id: id }, found.trigger.definition);
  const { path } = found.trigger.definition;
  const hasPath = await storeTrigger(call.env.DB, call.tenant, found);
  return hasPath || path === undefined ? answer : reject("unavailable", pathLost(path).detail);
};

const remove = async (call: Call, id: string): Promise<Answer<unknown>> => {
  const object = triggerObject(call.env, call.tenant, id);
  const before = await object.binding();
  const answer = await object.control("delete");
  if (before !== null) await tellShards(call.env, { tenant: call.tenant, trigger_id: id }, before.definition);
  // Also when it was deleted before: an earlier attempt may have got no further than the object.
  const isGone = answer.ok || answer.rejection.code === "trigger_not_found";
  if (isGone) await forgetTrigger(call.env.DB, call.tenant, id);
  return isGone ? { ok: true, reply: null } : answer;
};

const applyPlan = async (
  call: Call,
  plan: ManifestPlan,
  triggers: readonly ManifestTrigger[],
): Promise<Problem | null> => {
  const coming = comingPaths(triggers, plan);
  // Those that are unchanged too: their secret or state may not be.
  const puts = await changeEach(triggers, (trigger) => put(call, trigger, coming));
  if (puts.failures.length > 0) return failed(puts.applied, puts.failures);
  const removals = plan.removed.map((id) => ({ id }));
  const removed = await changeEach(removals, ({ id }) => remove(call, id));
  return removed.failures.length === 0 ? null : failed([...puts.applied, ...removed.applied], removed.failures);
};

/**
 * Puts all triggers of a manifest and removes those that an earlier one put and this one does not name
 * (spec/triggers 6.2). Nothing is changed unless all of it is valid. An attempt that got only so far can be repeated.
 */
export const putManifest = async (call: Call, manifest: Manifest): Promise<Outcome<ManifestSummary>> => {
  const triggers = triggersOf(call, manifest);
  if (!triggers.ok) return triggers.error;
  const existing = await existingTriggers(call, triggers.value);
  if (!existing.ok) return existing.error;
  const incoming = triggers.value.map(({ id, definition }) => ({
    id,
    fingerprint: fingerprintOf(storedDefinition(definition), codeVersion(call.env)),
  }));
  const plan = planManifest(existing.value, incoming);
  if (!plan.ok) {
    const { index, message } = plan.error;
    return invalid([{ path: `${triggers.value[index]?.path ?? "triggers"}.id`, message }]);
  }
  const issues = await pathIssues(call, triggers.value, comingPaths(triggers.value, plan.value));
  if (issues.length > 0) return invalid(issues);
  const { dry_run } = manifest;
  const refusal = dry_run ? null : await applyPlan(call, plan.value, triggers.value);
  return refusal ?? done({ ...plan.value, dry_run });
};
