import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { poolId, poolObjectName, taskId } from "../../../src/engine/pool/identity.ts";

const nextId = (prefix: string): string => `${prefix}:new`;

describe("ids of pools and tasks", () => {
  it("[L-26.1] a session's pool has a fresh id, a pipeline's follows from its names", () => {
    expect(poolId({ scope: "session", scope_id: "s", name: "n" }, nextId)).toBe("pool:new");
    const hash = createHash("sha256").update("pipeline\0flow\0n").digest("hex");
    expect(poolId({ scope: "pipeline", scope_id: "flow", name: "n" }, nextId)).toBe(
      `pool_pipeline_${hash.slice(0, 32)}`,
    );
    const ids = (["tenant", "org"] as const).map((scope) => poolId({ scope, scope_id: null, name: "n" }, nextId));
    expect(ids[0]).toMatch(/^pool_tenant_[0-9a-f]{32}$/);
    expect(ids[1]).toMatch(/^pool_org_[0-9a-f]{32}$/);
  });

  it("[L-26.2] a task's id follows from its key where it has one", () => {
    expect(taskId("pool_1", null, nextId)).toBe("pool_1_task_:new");
    const one = taskId("pool_1", "a", nextId);
    expect(one).toMatch(/^pool_1_task_[0-9a-f-]{36}$/);
    expect(taskId("pool_1", "a", nextId)).toBe(one);
    expect(taskId("pool_1", "b", nextId)).not.toBe(one);
  });

  it("[L-31] two pools never share an object", () => {
    const names = [
      { scope: "session", scope_id: null, name: "a" },
      { scope: "session", scope_id: "-", name: "a" },
      { scope: "session", scope_id: "x/y", name: "a" },
      { scope: "session", scope_id: "x", name: "y/a" },
      { scope: "tenant", scope_id: null, name: "a" },
    ] as const;
    const objects = names.map((address) => poolObjectName("acme", address));
    expect(objects[0]).toBe("acme/session/-/a");
    expect(new Set(objects).size).toBe(names.length);
    for (const object of objects) expect(object.split("/")).toHaveLength(4);
  });
});
