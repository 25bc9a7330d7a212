import { describe, expect, it } from "vitest";
import { resolveSpawn, type SpawnScope } from "../../../src/engine/worker/spawn.ts";
import type { Json } from "../../../src/lib/json.ts";
import type { MutationSessionRecord } from "../../../src/schema/record.ts";
import { decodeSpawnConfig } from "../../../src/schema/worker-spawn.ts";
import { policyOf } from "../graph/fixture.ts";
import { countedContext } from "./from-snapshot.ts";

const OUTSIDE: SpawnScope = { policy: null, audit: null, session_id: null, check_trigger: () => null };

const spawn = (config: Json | undefined, scope: Partial<SpawnScope> = {}) => {
  const draft = decodeSpawnConfig(config);
  return draft.ok ? resolveSpawn(draft.value, { ...OUTSIDE, ...scope }, countedContext()) : draft;
};

const spawned = (config: Json, scope: Partial<SpawnScope> = {}) => {
  const request = spawn(config, scope);
  if (!request.ok) throw new Error(request.error);
  return request.value;
};

const refusal = (config: Json | undefined, scope: Partial<SpawnScope> = {}): string => {
  const request = spawn(config, scope);
  return request.ok ? "" : request.error;
};

const NODE = { kind: "stage", mode: "llm" };

describe("a spawn config", () => {
  it.each([
    [undefined, "spawn_agent: missing config"],
    [null, "spawn_agent: config must be a dict"],
    ["do it", "spawn_agent: config must be a dict"],
    [[], "spawn_agent: config must be a dict"],
    [{ node: NODE }, "spawn_agent: config.task is required"],
    [{ task: null, node: NODE }, "spawn_agent: config.task is required"],
    [{ task: "", node: NODE }, "spawn_agent: config.task is required"],
    [{ task: "t" }, "spawn_agent: config requires either graph or node"],
    [{ task: "t", graph: null, node: null }, "spawn_agent: config requires either graph or node"],
    [{ task: "t", node: NODE, artifacts: "x" }, "expected artifact list or nil"],
    [{ task: "t", graph: { nodes: { a: {} } }, artifacts: {} }, "expected artifact list or nil"],
    [{ task: "t", tools: [] }, "spawn_agent: tools shorthand must include at least one tool name"],
    [{ task: "t", tools: "read" }, "spawn_agent: tools shorthand must be a list of strings"],
  ] as const)("[L-2] %j is refused: %s", (config, text) => {
    expect(refusal(config as Json | undefined)).toBe(text);
  });

  it.each([
    [{ execution: "x" }, "worker execution parse error: "],
    [{ execution: { env: { A: 1 } } }, "worker execution parse error: env.A: "],
    [{ audit: "x" }, "worker audit parse error: "],
    [{ node: { kind: 5 } }, "spawn_agent node parse error at kind: "],
    [{ graph: { nodes: [] } }, "orchestration parse error at nodes: "],
    [{ policy: { tools: 5 } }, "spawn_agent: policy parse error: tools: "],
    [{ carry: { context_policy: { max_artifacts: "x" } } }, "context policy parse error: max_artifacts: "],
  ] as const)("[L-2] %j is refused with a text that begins with %s", (part, text) => {
    expect(refusal({ task: "t", node: NODE, ...part })).toMatch(new RegExp(`^${text.replaceAll(".", "\\.")}`));
  });

  it("[L-2] the first part that is wrong wins, in the order of the parts", () => {
    const wrong = {
      carry: { transcript_mode: "sideways" },
      tools: [],
      execution: 5,
      audit: 5,
      options: { resume_when: 5 },
    };
    expect(refusal({ task: "t", ...wrong })).toMatch(/carry.transcript_mode must be one of/);
    expect(refusal({ task: "t", ...wrong, carry: {} })).toMatch(/tools shorthand/);
    expect(refusal({ task: "t", ...wrong, carry: {}, tools: ["read"] })).toMatch(/^worker execution/);
    expect(refusal({ task: "t", ...wrong, carry: {}, tools: ["read"], execution: {} })).toMatch(/^worker audit/);
    const rest = { task: "t", ...wrong, carry: {}, tools: ["read"], execution: {}, audit: {} };
    expect(refusal(rest)).toMatch(/requires either graph or node/);
    expect(refusal({ ...rest, node: NODE })).toMatch(/^HARN-SUS-002: invalid ResumeConditions.root/);
  });

  it("[L-2] texts may be other values, and only the exact true waits", () => {
    expect(spawned({ task: 5, name: "", wait: "true", node: NODE })).toMatchObject({
      task: "5",
      name: "worker",
      wait: false,
      mode: "stage",
    });
    expect(spawned({ task: "t", name: 7, wait: true, node: NODE })).toMatchObject({ name: "7", wait: true });
  });

  it("[L-2] a graph wins over a node, and its options and artifacts are in normal form", () => {
    const { config, mode } = spawned({
      task: "t",
      graph: { nodes: { a: {} } },
      node: NODE,
      artifacts: [{ kind: "test", text: "ok" }],
      options: 5,
    });
    expect(mode).toBe("workflow");
    expect(config).toMatchObject({
      mode: "workflow",
      graph: { entry: "a", nodes: { a: { kind: "stage" } } },
      artifacts: [{ kind: "test_result", priority: 100 }],
      options: {},
    });
  });

  it("[L-2] permissions become those of the node, and its transcript is taken as it is", () => {
    const { config } = spawned({
      task: "t",
      node: { ...NODE, model_policy: { provider: "mock" } },
      permissions: { deny: ["shell"] },
      transcript: { id: "t1" },
    });
    expect(config).toMatchObject({
      node: { model_policy: { provider: "mock", permissions: { deny: ["shell"] } } },
      transcript: { id: "t1" },
    });
  });

  it("[L-2] conditions under which it is born parked are taken out of the options", () => {
    const request = spawned({
      task: "t",
      graph: { nodes: { a: {} } },
      options: { max_steps: 2, resume_when: { on_event: " ready " } },
    });
    expect(request.resume_when).toEqual({ on_event: "ready" });
    expect(request.config).toMatchObject({ options: { max_steps: 2 } });
    expect(spawned({ task: "t", node: NODE })).not.toHaveProperty("resume_when");
  });
});

const askingForRoots = (roots: readonly string[]) => ({ task: "t", node: NODE, policy: { workspace_roots: roots } });

describe("the policy of a new worker", () => {
  const parent = policyOf({ tools: ["read", "write"], side_effect_level: "workspace_write", workspace_roots: ["/a"] });

  it("[L-3.2] is the parent's where nothing is asked for", () => {
    expect(spawned({ task: "t", node: NODE }, { policy: parent }).carry_policy.policy).toEqual(parent);
  });

  it("[L-3.2] is narrowed by its own policy and the tools shorthand", () => {
    const config = { task: "t", node: NODE, carry: { policy: { tools: ["read", "write"] } }, tools: ["read"] };
    expect(spawned(config, { policy: parent }).carry_policy.policy).toMatchObject({
      tools: ["read"],
      side_effect_level: "workspace_write",
      workspace_roots: ["/a"],
    });
  });

  it("[L-3.2] is null where nobody has an opinion", () => {
    expect(spawned({ task: "t", node: NODE, policy: null }).carry_policy.policy).toBeNull();
  });

  it("[L-30.11] has at least one workspace root of the parent, where it names any", () => {
    expect(refusal(askingForRoots(["/b", "/c"]), { policy: parent })).toBe(
      "spawn_agent: requested workspace roots exceed host ceiling: /b, /c",
    );
    expect(spawned(askingForRoots(["/b", "/a"]), { policy: parent }).carry_policy.policy?.workspace_roots).toEqual([
      "/a",
    ]);
  });
});

describe("the audit of a new worker", () => {
  const session: MutationSessionRecord = {
    session_id: "session_p",
    parent_session_id: "session_pp",
    run_id: "run_p",
    worker_id: "worker_p",
    execution_kind: "workflow",
    mutation_scope: "apply_worktree",
    approval_policy: null,
  };

  it("[L-7] inherits what it does not say, but neither the session nor the worker", () => {
    expect(spawned({ task: "t", node: NODE }, { audit: session }).audit).toEqual({
      session_id: "",
      parent_session_id: "session_p",
      run_id: "run_p",
      worker_id: null,
      execution_kind: "worker",
      mutation_scope: "apply_worktree",
      approval_policy: null,
    });
  });

  it("[L-7] what it says wins, and without a parent it may read only", () => {
    const audit = { session_id: "s", parent_session_id: "p", run_id: "r", mutation_scope: "none" };
    expect(spawned({ task: "t", node: NODE, audit }, { audit: session }).audit).toMatchObject(audit);
    expect(spawned({ task: "t", node: NODE }).audit).toMatchObject({
      parent_session_id: null,
      mutation_scope: "read_only",
    });
  });
});

describe("a sub-agent", () => {
  const TOOLS = { _type: "tool_registry", tools: [{ name: "read" }, { name: "write" }] };

  it("[L-15.1] has a session of its own, and options without what its request says", () => {
    const request = spawned(
      {
        task: "look",
        sub_agent: {
          background: true,
          name: "scout",
          system: "be brief",
          returns: { schema: { type: "object" } },
          max_iterations: 3,
          carry: { retriggerable: true },
          execution: { cwd: "/x" },
        },
      },
      { session_id: "session_agent" },
    );
    expect(request).toMatchObject({
      mode: "sub_agent",
      name: "scout",
      carry_policy: { retriggerable: true },
      execution: { cwd: "/x" },
    });
    expect(request.config).toEqual({
      mode: "sub_agent",
      spec: {
        name: "scout",
        task: "look",
        system: "be brief",
        options: { max_iterations: 3, session_id: "sub_agent_session_1" },
        returns_schema: { type: "object" },
        session_id: "sub_agent_session_1",
        parent_session_id: "session_agent",
      },
    });
  });

  it("[L-15.1] the allowed tools filter its registry and narrow its policy", () => {
    const { config, carry_policy } = spawned({
      task: "t",
      sub_agent: {
        tools: TOOLS,
        allowed_tools: [" read ", "read", ""],
        policy: { tools: ["read", "write"], side_effect_level: "read_only" },
        session_id: "mine",
      },
    });
    expect(config).toMatchObject({
      spec: {
        name: "sub-agent",
        session_id: "mine",
        options: { tools: { tools: [{ name: "read" }] }, policy: { tools: ["read"], side_effect_level: "read_only" } },
      },
    });
    expect(carry_policy.policy).toMatchObject({ tools: ["read"], side_effect_level: "read_only" });
  });

  it("[L-15.1] an empty list of allowed tools allows none", () => {
    const { carry_policy } = spawned({ task: "t", sub_agent: { allowed_tools: [] } });
    expect(carry_policy.policy).toMatchObject({ tools: [], denied_all: ["tools"] });
  });

  it.each([
    ["  ", {}, "sub_agent_run: task is required"],
    ["t", "x", "sub_agent_run: options must be a dict or nil"],
    ["t", { allowed_tools: "read" }, "sub_agent_run.allowed_tools: expected a list of strings"],
    ["t", { allowed_tools: ["a"], tools: [] }, "sub_agent_run: tools must be a tool registry"],
    ["t", { allowed_tools: ["a"], policy: { tools: ["b"] } }, "requested tools exceed host ceiling: a"],
  ] as const)("[L-15.1] %j with %j is refused: %s", (task, options, text) => {
    expect(refusal({ task, sub_agent: options as Json })).toBe(text);
  });

  it("[L-15.1] a conflict with the parent says who asked", () => {
    const scope = { policy: policyOf({ tools: ["read"] }) };
    expect(refusal({ task: "t", sub_agent: { allowed_tools: ["write"] } }, scope)).toBe(
      "spawn_agent: requested tools exceed host ceiling: write",
    );
    expect(refusal({ task: "t", sub_agent: { policy: { tools: 5 } } })).toMatch(/^sub_agent_run: policy parse error: /);
  });
});
