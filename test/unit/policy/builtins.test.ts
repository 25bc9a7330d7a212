import { describe, expect, it } from "vitest";
import { bridgedExcess, builtinExcess, hostCallExcess } from "../../../src/engine/policy/builtins.ts";
import { policyOf } from "../graph/fixture.ts";

const READER = { capabilities: { workspace: ["read_text"] }, side_effect_level: "read_only" };

describe("builtin operations", () => {
  it.each([
    ["read_file", null],
    ["list_dir", "workspace.list"],
    ["file_exists", "workspace.exists"],
    ["stat", "workspace.exists"],
    ["write_file", "workspace write"],
    ["append_file", "workspace write"],
    ["mkdir", "workspace write"],
    ["copy_file", "workspace write"],
    ["delete_file", "workspace.delete"],
    ["apply_edit", "workspace.apply_edit"],
    ["exec", "process.exec"],
    ["shell", "process.exec"],
    ["http_get", "network"],
    ["sse_connect", "network"],
    ["websocket_open", "network"],
    ["llm_call", "llm.call"],
    ["agent_loop", "llm.call"],
    ["mcp_call", "process.exec"],
    ["log", null],
  ])("[W-10.6] %s under a policy that only reads", (name, ceiling) => {
    expect(builtinExcess(policyOf(READER), name)).toBe(
      ceiling === null ? null : `builtin '${name}' exceeds ${ceiling} ceiling`,
    );
    expect(builtinExcess(policyOf({}), name)).toBeNull();
  });

  it("[W-10.6] capability and level both count", () => {
    const capabilities = { workspace: ["write_text"] };
    expect(builtinExcess(policyOf({ capabilities, side_effect_level: "workspace_write" }), "write_file")).toBeNull();
    expect(builtinExcess(policyOf({ capabilities, side_effect_level: "read_only" }), "write_file")).toBe(
      "builtin 'write_file' exceeds workspace write ceiling",
    );
    expect(builtinExcess(policyOf({ capabilities: { llm: [] }, side_effect_level: "read_only" }), "llm_call")).toBe(
      "builtin 'llm_call' exceeds llm.call ceiling",
    );
  });
});

describe("operations of a host", () => {
  it("[W-10.6] a bridged one has to be trusted", () => {
    expect(bridgedExcess("custom", true)).toBeNull();
    expect(bridgedExcess("custom", false)).toBe(
      "bridged builtin 'custom' exceeds execution policy; declare an explicit capability/tool surface instead",
    );
  });

  it.each(["nonsense", "a.", ".b", "a.b.c", ""])("[W-10.6] %j is no capability.operation", (name) => {
    expect(hostCallExcess(policyOf({}), name)).toBe(`host_call '${name}' must use capability.operation naming`);
  });

  it("[W-10.6] the capability is looked at before the side effects", () => {
    const policy = policyOf({ capabilities: { workspace: ["read_text", "write_text"] }, side_effect_level: "none" });
    expect(hostCallExcess(policy, "process.exec")).toBe("host_call process.exec exceeds capability ceiling");
    expect(hostCallExcess(policy, "workspace.write_text")).toBe(
      "host_call workspace.write_text exceeds side-effect ceiling",
    );
    expect(hostCallExcess(policy, "workspace.read_text")).toBe(
      "host_call workspace.read_text exceeds side-effect ceiling",
    );
    expect(hostCallExcess(policyOf(READER), "workspace.read_text")).toBeNull();
  });
});
