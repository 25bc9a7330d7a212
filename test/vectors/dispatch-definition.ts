import { storedDefinition } from "../../src/engine/trigger/binding.ts";
import { isObject, type Json, type JsonObject } from "../../src/lib/json.ts";
import { type StoredDefinition, triggerDefinitionSchema } from "../../src/schema/trigger-definition.ts";
import { OperationFailure } from "./operation.ts";

/** The longest time a handler may have: nothing of the original ends one. */
const HANDLER_MS = 600_000;

const given = (entries: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined && value !== null));

const objectOf = (value: Json | undefined): JsonObject => (isObject(value) ? value : {});

const handlerOf = (trigger: JsonObject): JsonObject => {
  const { uri = "", allow_cleartext = null } = objectOf(trigger["handler"]);
  const address = typeof uri === "string" ? uri.trim() : "";
  if (address.startsWith("worker://")) return given({ uri: address, priority: trigger["dispatch_priority"] ?? null });
  return given({ uri: address, allow_cleartext, timeout_ms: HANDLER_MS });
};

const retryOf = ({ max_attempts, policy }: JsonObject): JsonObject =>
  given({ max: max_attempts ?? null, backoff: policy ?? null });

const budgetOf = (trigger: JsonObject): JsonObject => {
  const names = [
    "daily_cost_usd",
    "hourly_cost_usd",
    "on_budget_exhausted",
    "max_autonomous_decisions_per_day",
    "max_autonomous_decisions_per_hour",
  ];
  const own = Object.fromEntries(names.map((name) => [name, trigger[name] ?? null]));
  return given({ ...objectOf(trigger["budget"]), ...own });
};

const whenBudgetOf = ({ timeout_ms, ...budget }: JsonObject): JsonObject =>
  given({ ...budget, ...(timeout_ms === undefined ? {} : { timeout: timeout_ms }) });

/** Flow control with the periods in milliseconds, as vectors write them. */
const flowOf = (flow: JsonObject): Partial<StoredDefinition> => {
  const settings = Object.entries(given(flow)).map(([name, value]) => {
    const { period_ms, timeout_ms, ...rest } = given(objectOf(value));
    const times = given({ period: period_ms ?? null, timeout: timeout_ms ?? null });
    return [name, { ...rest, ...times }] as const;
  });
  // The engine takes milliseconds as numbers, only definitions of owners don't.
  return Object.fromEntries(settings) as unknown as Partial<StoredDefinition>;
};

/** The product's definition of a trigger that a vector installs. */
export const definitionOf = (trigger: JsonObject): StoredDefinition => {
  const when = objectOf(trigger["when"]);
  const decoded = triggerDefinitionSchema.safeParse({
    provider: "manual",
    handler: handlerOf(trigger),
    match: { events: trigger["match_events"] ?? [] },
    compatibility: "harn",
    ...given({ autonomy_tier: trigger["autonomy_tier"] ?? null, priority: trigger["dispatch_priority"] ?? null }),
    ...(isObject(trigger["when"]) ? { when: { model: { prompt: when["expr"] ?? "predicate" } } } : {}),
    ...(isObject(trigger["when_budget"]) ? { when_budget: whenBudgetOf(trigger["when_budget"]) } : {}),
    ...(isObject(trigger["retry"]) ? { retry: retryOf(trigger["retry"]) } : {}),
    budget: budgetOf(trigger),
  });
  if (!decoded.success) throw new OperationFailure(decoded.error.issues[0]?.message ?? "not a definition");
  const provider = (trigger["provider"] ?? "manual") as StoredDefinition["provider"];
  return { ...storedDefinition(decoded.data), ...flowOf(objectOf(trigger["flow_control"])), provider };
};
