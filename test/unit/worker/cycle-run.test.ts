import { describe, expect, it } from "vitest";
import { type CycleOrder, cycleOrder, DELEGATED_NODE, orderedCycle } from "../../../src/engine/worker/cycle-run.ts";
import type { SubAgentSpec, Worker, WorkerConfig } from "../../../src/engine/worker/state.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { SUB_AGENT, transcriptOf, WORKER_ID, WorkerFixture } from "../../support/worker-fixture.ts";

const NOTE = { id: "artifact_1", kind: "summary" };

const workflow = (options: JsonObject = {}): WorkerConfig =>
  ({
    mode: "workflow",
    graph: { nodes: {}, metadata: { own: 1 } },
    artifacts: [NOTE],
    options,
  }) as unknown as WorkerConfig;

const stage = (node: JsonObject = {}): WorkerConfig =>
  ({
    mode: "stage",
    node: { kind: "subagent", model_policy: {}, metadata: {}, ...node },
    artifacts: [NOTE],
    transcript: null,
  }) as unknown as WorkerConfig;

const agent = (spec: Partial<SubAgentSpec> = {}): WorkerConfig =>
  SUB_AGENT.mode === "sub_agent" ? { mode: "sub_agent", spec: { ...SUB_AGENT.spec, ...spec } } : SUB_AGENT;

const workerWith = (config: WorkerConfig, changed: Partial<Worker> = {}): Worker => ({
  ...WorkerFixture.spawned().worker,
  config,
  ...changed,
});

const orderOf = (config: WorkerConfig, changed: Partial<Worker> = {}): CycleOrder => {
  const order = cycleOrder(workerWith(config, changed));
  if (!order.ok) throw new Error(order.error);
  return order.value;
};

const nodeOf = ({ graph }: CycleOrder): JsonObject =>
  (graph["nodes"] as Record<string, JsonObject>)[DELEGATED_NODE] ?? {};

const auditWith = (run_id: string | null): Worker["audit"] => ({ ...WorkerFixture.spawned().worker.audit, run_id });

describe("what is to be started", () => {
  it("[L-9] is the run of a worker that runs and has none", () => {
    const { worker } = WorkerFixture.spawned();
    expect(orderedCycle(worker)).toEqual({
      cycle: 1,
      held: false,
      order: cycleOrder(worker),
      policy: null,
      audit: worker.audit,
    });
    expect(orderedCycle(WorkerFixture.running().state)).toBe(null);
    expect(orderedCycle(WorkerFixture.parked().state)).toBe(null);
    expect(orderedCycle(null)).toBe(null);
  });

  it("[L-5] is nothing where it could run nowhere", () => {
    const worktree = { repo: "", path: null, branch: null, base_ref: null, cleanup: null };
    const worker = workerWith(stage(), { execution: { cwd: null, env: {}, worktree } });
    expect(cycleOrder(worker)).toEqual({ ok: false, error: "worker execution.worktree.repo must not be empty" });
  });

  it("[L-32.2] is the same run however often it is ordered, and another one in each cycle", () => {
    const first = orderOf(stage()).run_id;
    expect(orderOf(stage()).run_id).toBe(first);
    expect(orderOf(stage(), { cycle: 2 }).run_id).not.toBe(first);
    expect(orderOf(stage(), { id: "worker_2" }).run_id).not.toBe(first);
  });
});

describe("the run of a workflow worker", () => {
  it("[L-10.3] is its graph, told whose it is", () => {
    const order = orderOf(workflow({ max_steps: 3 }), { task: "now" });
    expect(order).toMatchObject({
      task: "now",
      graph: { metadata: { own: 1 } },
      artifacts: [NOTE],
      options: { max_steps: 3, delegated: true, parent_worker_id: WORKER_ID },
      sessions: [],
    });
    expect(order.options).not.toHaveProperty("parent_run_id");
    expect(order.options).not.toHaveProperty("parent_stage_id");
  });

  it("[L-10.3] belongs to the run of its session, unless the options say to which", () => {
    const audit = auditWith("run_p");
    expect(orderOf(workflow(), { audit }).options).toMatchObject({ parent_run_id: "run_p" });
    expect(orderOf(workflow({ parent_run_id: "other" }), { audit }).options).toMatchObject({ parent_run_id: "other" });
    for (const key of ["resume_path", "resume_run"])
      expect(orderOf(workflow({ [key]: "x" }), { audit }).options).not.toHaveProperty("parent_run_id");
  });

  it("[L-10.3] keeps its parents with the graph, as far as they are named", () => {
    const options = { parent_worker_id: "worker_0", parent_stage_id: "ask" };
    const order = orderOf(workflow(options));
    expect(order.graph["metadata"]).toEqual({ own: 1, ...options });
    expect(order.options).toMatchObject(options);
    expect(orderOf(workflow({ parent_worker_id: "", parent_stage_id: 7 })).graph["metadata"]).toEqual({ own: 1 });
    expect(orderOf(workflow(), { parent_stage_id: "ask" }).options).toMatchObject({ parent_stage_id: "ask" });
  });

  it("[L-16] goes on with the run before it where it is to be continued", () => {
    const options = { resume_path: "runs/run_1" };
    const continued = orderOf(workflow(options), { child_run_id: "run_1" });
    expect(continued.run_id).toBe("run_1");
    expect(continued.options).not.toHaveProperty("resume_path");
    expect(orderOf(workflow(), { child_run_id: "run_1" }).run_id).not.toBe("run_1");
    expect(orderOf(workflow(options)).run_id).toBe(orderOf(workflow()).run_id);
  });
});

describe("the run of a stage worker", () => {
  it("[L-10.4] is a graph of its node alone, carried out by the run itself", () => {
    const order = orderOf(stage({ prompt: "go" }), { name: "scout" });
    expect(order.graph).toMatchObject({ id: "worker:scout", name: "scout", entry: "delegated_worker", edges: [] });
    expect(nodeOf(order)).toMatchObject({ id: "delegated_worker", kind: "stage", prompt: "go" });
    expect(order.artifacts).toEqual([NOTE]);
    expect(order.options).toEqual({ parent_worker_id: WORKER_ID, delegated: true });
  });

  it("[L-10.4] verifies where its node does", () => {
    expect(nodeOf(orderOf(stage({ kind: "verify" })))["kind"]).toBe("verify");
    expect(nodeOf(orderOf(stage({ kind: "map" })))["kind"]).toBe("stage");
  });

  it("[L-10.4] goes on with what was said in the session of the node", () => {
    const transcript = transcriptOf("do it", "done");
    const seeds = (node: JsonObject, changed: Partial<Worker> = { transcript }) =>
      orderOf(stage(node), changed).sessions;
    const named = { metadata: { worker_session_id: "s1" } };
    expect(seeds(named)).toEqual([{ session_id: "s1", messages: transcript.messages }]);
    expect(seeds(named, {})).toEqual([]);
    expect(seeds(named, { transcript: { messages: "none" } })).toEqual([]);
    expect(seeds({})).toEqual([]);
  });
});

const sessions = (options: JsonObject, changed: Partial<Worker> = {}) => orderOf(agent({ options }), changed).sessions;

describe("the run of a sub-agent", () => {
  it("[L-15.2] is an agent with its options", () => {
    const options = {
      tools: ["read"],
      model: "m",
      policy: { tools: ["read"] },
      done_sentinel: "OK",
      _resume_continuity: {},
    };
    const node = nodeOf(orderOf(agent({ options, system: "be brief", returns_schema: { type: "object" } })));
    expect(node).toEqual({
      id: "delegated_worker",
      kind: "stage",
      mode: "agent",
      system: "be brief",
      tools: ["read"],
      done_sentinel: "OK",
      output_schema: { type: "object" },
      model_policy: { model: "m", session_id: "sub_agent_session_1" },
    });
  });

  it("[L-15.2] has no part that was not asked for", () => {
    expect(nodeOf(orderOf(agent()))).toEqual({
      id: "delegated_worker",
      kind: "stage",
      mode: "agent",
      model_policy: { session_id: "sub_agent_session_1" },
    });
    const approval_policy = { require_approval: ["edit"] };
    expect(nodeOf(orderOf(agent({ options: { approval_policy } })))).toMatchObject({ approval_policy });
  });

  it("[L-17.6] goes on with its conversation, and hears first of its resumption", () => {
    const transcript = transcriptOf("do it", "so far");
    expect(sessions({})).toEqual([]);
    expect(sessions({}, { transcript })).toEqual([
      { session_id: "sub_agent_session_1", messages: transcript.messages },
    ]);
    const [seed] = sessions({ _resume_continuity: { reason: "lunch" } }, { transcript });
    expect(seed?.messages).toHaveLength(3);
    expect(JSON.stringify(seed?.messages.at(-1))).toContain("lunch");
  });
});
