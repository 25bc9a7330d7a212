import { createExecutor, type ExecutorConfig } from "../../../src/executor/executor.ts";
import { createRegistry } from "../../../src/executor/registry.ts";
import type { HttpCall, StagePlan, StageResult } from "../../../src/schema/plan.ts";

/** The moment of every test. */
export const NOW = Date.parse("2026-01-02T03:04:05Z");

/** A plan with what every plan has. */
export const planOf = (fields: Partial<StagePlan>): StagePlan => ({
  kind: "stage",
  run_id: "run-1",
  workflow_id: "wf",
  node_id: "work",
  stage_id: "run-1:work:1",
  attempt: 1,
  attempt_token: "token",
  lease_expires_at: "2026-01-02T03:14:05Z",
  idempotency_key: "run-1:work:1",
  mode: "llm",
  timeout_ms: 5000,
  ...fields,
});

/** A plan of an HTTP stage. */
export const httpPlan = (call: Partial<HttpCall>, fields: Partial<StagePlan> = {}): StagePlan =>
  planOf({ mode: "http", http: { method: "GET", url: "https://example.com/", headers: {}, ...call }, ...fields });

/** A configuration that reaches the real network and knows no function. */
export const configOf = (config: Partial<ExecutorConfig>): ExecutorConfig => ({
  env: {},
  fetcher: fetch,
  functions: createRegistry({}),
  now: () => NOW,
  ...config,
});

/** Runs a plan to its end. */
export const run = async (
  plan: StagePlan,
  config: Partial<ExecutorConfig> = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<StageResult> => createExecutor(configOf(config)).execute(plan, signal);

/** A fetch that sends what is meant for one of these hosts to a local server, and refuses every other host. */
export const rerouted =
  (origin: string, hosts: readonly string[]): typeof fetch =>
  async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    if (!hosts.includes(url.host)) throw new TypeError(`a test called ${url.host}`);
    return fetch(new URL(url.pathname + url.search, origin), init);
  };
