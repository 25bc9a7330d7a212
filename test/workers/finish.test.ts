import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it, vi } from "vitest";
import type { JsonObject } from "../../src/lib/json.ts";
import { clientFor, get, migrateDatabase, post, refusal } from "./http-setup.ts";
import { answered, objectOf, startRun } from "./run-setup.ts";
import { eventIn, put } from "./trigger-setup.ts";

beforeAll(migrateDatabase);

const client = clientFor();

const EXTERNAL = { entry: "a", nodes: { a: { kind: "stage", mode: "external" } }, edges: [] } as const;

const ECHO = { entry: "a", nodes: { a: { kind: "stage", mode: "function", function: "echo" } }, edges: [] } as const;

const read = async (path: string): Promise<JsonObject> => (await get(path)).json();

interface Unsettled {
  readonly state: Readonly<Record<string, readonly JsonObject[]>>;
  readonly counts: JsonObject;
  readonly is_empty: boolean;
  readonly summary: string;
  readonly unknown: readonly JsonObject[];
  readonly as_of: JsonObject;
}

const unsettled = async (runId: string): Promise<Unsettled> =>
  (await read(`/v1/runs/${runId}/unsettled`)) as unknown as Unsettled;

const auditOf = async (runId: string, query = ""): Promise<readonly JsonObject[]> =>
  (await read(`/v1/runs/${runId}/audit${query}`))["items"] as readonly JsonObject[];

const ended = async (runId: string): Promise<void> => {
  await vi.waitUntil(async () => (await client.getRun(runId)).status === "completed", {
    timeout: 10_000,
    interval: 20,
  });
};

describe("the audit of a run", () => {
  it("[L-21.6] entries count up in one count with handoffs, also when the run is over, and are read in pages", async () => {
    const runId = await startRun(ECHO);
    await ended(runId);
    const first = await answered(`/v1/runs/${runId}/audit`, { kind: "drained", payload: { n: 1 } });
    const entry = { seq: 1, kind: "drained", payload: { n: 1 }, pipeline_id: runId };
    expect(first).toEqual({ status: "recorded", method: "emit_audit", entry });
    await answered(`/v1/runs/${runId}/handoffs`, { target: "next" });
    const done = await answered(`/v1/runs/${runId}/disposition`, { disposition: "abandoned" });
    expect(done).toMatchObject({
      status: "finalized",
      method: "finalize",
      entry: { seq: 3, kind: "pipeline_finalized" },
    });
    const page = await read(`/v1/runs/${runId}/audit?limit=1`);
    expect(page["items"]).toEqual([entry]);
    const rest = await read(`/v1/runs/${runId}/audit?limit=1&cursor=${String(page["next_cursor"])}`);
    expect(rest).toMatchObject({ items: [{ seq: 3, payload: { disposition: "abandoned" } }], next_cursor: null });
    expect(await auditOf(runId, "?as=records")).toMatchObject([
      { kind: "lifecycle_audit", headers: { kind: "drained", seq: "1", pipeline_id: runId }, payload: entry },
      { headers: { kind: "pipeline_finalized", seq: "3" } },
    ]);
    expect((await client.getRun(runId)).status).toBe("completed");
  });

  it("[L-21.6] the same idempotency key audits once, and a payload of more than 64 KiB is refused", async () => {
    const runId = await startRun(EXTERNAL);
    const key = { "Idempotency-Key": "k" };
    const path = `/v1/runs/${runId}/audit`;
    const [one, two] = [await post(path, { kind: "note" }, key), await post(path, { kind: "note" }, key)];
    expect(await two.json()).toEqual(await one.json());
    const other = refusal(post(path, { kind: "other" }, key));
    expect(await other).toMatchObject({ status: 409, code: "idempotency_key_reused" });
    expect(await auditOf(runId)).toHaveLength(1);
    const large = refusal(post(path, { kind: "note", payload: "x".repeat(70_000) }));
    expect(await large).toMatchObject({ status: 413, code: "payload_too_large" });
    expect(await refusal(post("/v1/runs/run_none/audit", { kind: "note" }))).toMatchObject({ code: "run_not_found" });
    expect(await refusal(get("/v1/runs/run_none/audit"))).toMatchObject({ code: "run_not_found" });
    expect(await refusal(get(`${path}?cursor=x`))).toMatchObject({ status: 400, code: "invalid_request" });
  });

  it("[L-31] an audit entry is one row, and so is a handoff", async () => {
    const runId = await startRun(EXTERNAL);
    const rows = await runInDurableObject(objectOf(runId), (instance) => {
      const inside = instance as unknown as {
        readonly store: { write: (sql: string, ...bindings: unknown[]) => number };
        readonly request: (request: JsonObject) => { readonly ok: boolean };
      };
      const { store } = inside;
      const { write } = store;
      let rows = 0;
      store.write = (sql, ...bindings) => {
        const written = write(sql, ...bindings);
        rows += written;
        return written;
      };
      const cost = (request: JsonObject): number => {
        const before = rows;
        if (!inside.request(request).ok) throw new Error("refused");
        return rows - before;
      };
      return [
        cost({ type: "emit_audit", kind: "note", payload: null }),
        cost({ type: "hand_off", target: "t", payload: null }),
        cost({ type: "acknowledge_handoff", envelope_id: "envelope_2", decision: null }),
        cost({ type: "set_disposition", disposition: null }),
      ];
    });
    expect(rows).toEqual([1, 1, 1, 1]);
  });
});

describe("handoffs", () => {
  it("[L-21.7] a handoff is unsettled until it is acknowledged, once", async () => {
    const runId = await startRun(ECHO);
    await ended(runId);
    expect(await unsettled(runId)).toMatchObject({ is_empty: true, summary: "no unsettled work", unknown: [] });
    const handed = await answered(`/v1/runs/${runId}/handoffs`, { target: "review", payload: { b: 1, a: 2 } });
    const envelope = { envelope_id: "envelope_1", target_pipeline: "review", origin_pipeline: runId, seq: 1 };
    expect(handed).toMatchObject({ status: "queued", method: "handoff_to", envelope });
    const snapshot = await unsettled(runId);
    expect(snapshot).toMatchObject({ is_empty: false, counts: { partial: 1, queued: 0 } });
    expect(snapshot.summary).toContain("1 partial handoffs");
    const item = { ...envelope, from: runId, to: "review", payload_summary: "object(keys=a,b)" };
    expect(snapshot.state["partial_handoffs"]).toMatchObject([item]);
    expect((await read(`/v1/runs/${runId}/handoffs`))["items"]).toMatchObject([item]);
    const path = `/v1/runs/${runId}/handoffs/envelope_1/acknowledge`;
    const acknowledged = await answered(path, { decision: "accept" });
    expect(acknowledged).toMatchObject({
      status: "acknowledged",
      method: "acknowledge_handoff",
      envelope,
      entry: { seq: 2, kind: "handoff_acknowledged", payload: { envelope_id: "envelope_1", decision: "accept" } },
    });
    expect(await refusal(post(path, {}))).toMatchObject({ status: 404, code: "handoff_not_found" });
    expect(await refusal(post(`/v1/runs/${runId}/handoffs`, {}))).toMatchObject({
      status: 400,
      detail: "missing target pipeline argument",
    });
    expect(await refusal(get("/v1/runs/run_none/handoffs"))).toMatchObject({ code: "run_not_found" });
    expect(await refusal(get("/v1/runs/run_none/unsettled"))).toMatchObject({ code: "run_not_found" });
  });
});

/** A run whose command waits in a queue. */
const withCommand = async (): Promise<{ readonly runId: string; readonly id: string }> => {
  const nodes = { check: { kind: "verify", verify: { command: "npm test" } } };
  const queue = `q-${crypto.randomUUID()}`;
  const runId = await startRun({ entry: "check", nodes, edges: [] }, { command_queue: queue });
  const id = await vi.waitUntil(
    async () => {
      const [item] = (await unsettled(runId)).state["queued_triggers"] ?? [];
      return item === undefined ? null : String(item["id"]);
    },
    { timeout: 10_000, interval: 20 },
  );
  expect(id).toContain(`worker://${queue}/`);
  return { runId, id };
};

describe("queued triggers", () => {
  it("[L-22.4] the job of a command is acknowledged, after the handoffs, and is then gone", async () => {
    const { runId, id } = await withCommand();
    const path = `/v1/runs/${runId}/unsettled/acknowledge`;
    await answered(`/v1/runs/${runId}/handoffs`, { target: "t" });
    expect(await refusal(post(path, { trigger_id: id }))).toMatchObject({
      status: 409,
      code: "invalid_transition",
      detail: "HARN-DRN-001: cannot acknowledge trigger while suspended subagents remain",
    });
    await answered(`/v1/runs/${runId}/handoffs/envelope_1/acknowledge`, {});
    expect(await refusal(post(path, {}))).toMatchObject({ status: 400, detail: "missing trigger id" });
    const receipt = await answered(path, { trigger_id: id });
    const item = { id, source: "worker_queue", claimed: false, spec_summary: "command" };
    expect(receipt).toMatchObject({ status: "acknowledged", method: "acknowledge_trigger", trigger_id: id, item });
    expect((await auditOf(runId)).at(-1)).toMatchObject({
      seq: 3,
      kind: "trigger_acknowledged",
      payload: { trigger_id: id, item },
    });
    expect(await refusal(post(path, { trigger_id: id }))).toMatchObject({
      status: 404,
      code: "queued_trigger_not_found",
    });
  });

  it("[L-21.9] a deferred trigger is handed on", async () => {
    const { runId, id } = await withCommand();
    const receipt = await answered(`/v1/runs/${runId}/unsettled/acknowledge`, { trigger_id: id, defer: true });
    const envelope = { envelope_id: "envelope_2", target_pipeline: "deferred-triggers" };
    expect(receipt).toMatchObject({ status: "deferred", method: "defer_trigger", trigger_id: id, envelope });
    expect(await auditOf(runId)).toMatchObject([
      { kind: "trigger_acknowledged" },
      { kind: "trigger_deferred", payload: { trigger_id: id, envelope_id: "envelope_2" } },
    ]);
  });

  it("[L-22.2] an event that waits in a trigger of the run's workflow is shown and can be cancelled", async () => {
    const id = `wf-${crypto.randomUUID()}`;
    const graph = { _type: "workflow_graph", ...EXTERNAL };
    await client.defineWorkflow(id, graph);
    const handler = { workflow: id, completion: "finished" };
    await put(id, { provider: "manual", secret: undefined, match: {}, handler, concurrency: { max: 1 } });
    const { event_id: held } = await client.triggerEvents.fire(id, {});
    const runId = await vi.waitUntil(async () => (await client.triggers.getEvent(held)).runs?.[0], {
      timeout: 10_000,
      interval: 20,
    });
    const { event_id: waiting } = await client.triggerEvents.fire(id, {});
    await eventIn(waiting, "parked");
    const [item] = (await unsettled(runId)).state["queued_triggers"] ?? [];
    expect(item).toMatchObject({
      id: `trigger://${id}@v1/${waiting}`,
      trigger_id: id,
      spec_summary: `${id}: manual.manual`,
      source: "trigger_inbox",
    });
    await answered(`/v1/runs/${runId}/unsettled/acknowledge`, { trigger_id: item?.["id"] });
    expect(await eventIn(waiting, "cancelled")).toMatchObject({ cancel: { requested_by: "pipeline_lifecycle" } });
  });
});

describe("settling", () => {
  it("[L-21.10] the settlement agent really settles, and audits each decision", async () => {
    const { runId } = await withCommand();
    for (const target of ["one", "two"]) await answered(`/v1/runs/${runId}/handoffs`, { target });
    const receipt = await answered(`/v1/runs/${runId}/settle`, { return_value: "r" });
    expect(receipt).toMatchObject({
      status: "completed",
      method: "spawn_settlement_agent",
      iterations: 2,
      items_processed: 3,
      budget: 5,
      return_value: "r",
      remaining: { queued_triggers: [], partial_handoffs: [] },
    });
    expect((await auditOf(runId)).map(({ kind }) => kind)).toEqual([
      "drain_decision",
      "handoff_acknowledged",
      "drain_decision",
      "handoff_acknowledged",
      "drain_decision",
      "pipeline_finalized",
    ]);
    expect(await unsettled(runId)).toMatchObject({ is_empty: true });
    const again = await answered(`/v1/runs/${runId}/settle`, { drain_budget_iterations: 99 });
    expect(again).toMatchObject({ status: "no_unsettled", iterations: 0, audit_count: 0, budget: 20 });
    expect(await refusal(post(`/v1/runs/${runId}/settle`, { unsettled: "x" }))).toMatchObject({
      status: 400,
      detail: "Harness unsettled-state helpers expect a state dict",
    });
    expect(await refusal(post("/v1/runs/run_none/settle", {}))).toMatchObject({ code: "run_not_found" });
  });
});

const endedWith = (runId: string, status: string): Promise<JsonObject> =>
  vi.waitUntil(
    async () => {
      const run = await client.getRun(runId);
      return run.status === status ? (run as unknown as JsonObject) : null;
    },
    { timeout: 10_000, interval: 20 },
  );

describe("what is done at the end of a run", () => {
  it("[L-21.11] a run is drained before it ends, and the receipt becomes its value", async () => {
    const runId = await startRun(EXTERNAL, { on_finish: "drain" });
    await answered(`/v1/runs/${runId}/handoffs`, { target: "t" });
    const { attempt_token } = await answered(`/v1/runs/${runId}/stages/a/prepare`, {});
    const result = { status: "completed", text: "said", visible_text: "said" };
    await answered(`/v1/runs/${runId}/stages/a/complete`, { attempt_token, result });
    const run = await endedWith(runId, "completed");
    expect(run["metadata"]).toMatchObject({ return_value: { status: "completed", return_value: "said" } });
    expect(await unsettled(runId)).toMatchObject({ is_empty: true });
    expect((await auditOf(runId)).map(({ kind }) => kind)).toEqual([
      "handoff_acknowledged",
      "drain_decision",
      "pipeline_finalized",
      "on_finish_completed",
    ]);
  });

  it("[L-21.2] what it throws is the error of the run", async () => {
    const runId = await startRun(ECHO, { on_finish: { handler: "handoff_to" } });
    const run = await endedWith(runId, "failed");
    expect(run["metadata"]).toMatchObject({
      error: "on_finish handoff_to failed: missing target pipeline argument",
    });
  });

  it("[L-21.1] a handler can be named while the run goes on", async () => {
    const runId = await startRun(EXTERNAL);
    const receipt = await client.finish.setOnFinish(runId, { handler: "abandon" });
    expect(receipt).toEqual({ status: "registered", on_finish: { handler: "abandon", input: null } });
    const { attempt_token } = await answered(`/v1/runs/${runId}/stages/a/prepare`, {});
    await answered(`/v1/runs/${runId}/stages/a/complete`, { attempt_token, result: { status: "completed", text: "" } });
    expect((await endedWith(runId, "completed"))["metadata"]).toHaveProperty("return_value");
    await expect(client.finish.setOnFinish(runId, { handler: "abandon" })).rejects.toMatchObject({ status: 409 });
    await expect(client.finish.setOnFinish(runId, { handler: "nobody" })).rejects.toMatchObject({ status: 400 });
  });

  it("[L-31] a handler that is not registered is refused when the run is created", async () => {
    const body = { graph: { _type: "workflow_graph", id: "wf", ...ECHO }, task: "t", options: { on_finish: "nobody" } };
    expect(await refusal(post("/v1/runs", body))).toMatchObject({
      status: 400,
      details: { issues: [{ path: "options.on_finish" }] },
    });
  });
});
