import type { CapabilityPolicy } from "../../schema/policy.ts";
import { allowsOperation } from "./capability.ts";
import { allowsLevel } from "./side-effect.ts";

interface Need {
  /** What an error calls it, where that is not its capability. */
  readonly ceiling?: string;
  readonly capability?: readonly [capability: string, operation: string];
  readonly level?: string;
}

const workspace = (operation: string): Need => ({ capability: ["workspace", operation] });

const WRITES: Need = { ceiling: "workspace write", capability: ["workspace", "write_text"], level: "workspace_write" };
const DELETES: Need = { ...workspace("delete"), level: "workspace_write" };
const EDITS: Need = { ...workspace("apply_edit"), level: "workspace_write" };
const RUNS: Need = { capability: ["process", "exec"], level: "process_exec" };
const REACHES_OUT: Need = { ceiling: "network", level: "network" };
const ASKS_A_MODEL: Need = { capability: ["llm", "call"], level: "network" };

const NEEDS: ReadonlyMap<string, Need> = new Map([
  ["read_file", workspace("read_text")],
  ["list_dir", workspace("list")],
  ["file_exists", workspace("exists")],
  ["stat", workspace("exists")],
  ["write_file", WRITES],
  ["append_file", WRITES],
  ["mkdir", WRITES],
  ["copy_file", WRITES],
  ["delete_file", DELETES],
  ["apply_edit", EDITS],
  ["exec", RUNS],
  ["exec_at", RUNS],
  ["shell", RUNS],
  ["shell_at", RUNS],
  ["llm_call", ASKS_A_MODEL],
  ["agent_loop", ASKS_A_MODEL],
]);

const PREFIXES: readonly (readonly [prefix: string, need: Need])[] = [
  ["http_", REACHES_OUT],
  ["sse_", REACHES_OUT],
  ["websocket_", REACHES_OUT],
  ["mcp_", { capability: ["process", "exec"] }],
];

const needOf = (name: string): Need | undefined =>
  NEEDS.get(name) ?? PREFIXES.find(([prefix]) => name.startsWith(prefix))?.[1];

/** Why a policy does not let a builtin operation be used, or null (spec/workflow 10.6). */
export const builtinExcess = (policy: CapabilityPolicy, name: string): string | null => {
  const need = needOf(name);
  if (need === undefined) return null;
  const { capability, level } = need;
  const allowed =
    (capability === undefined || allowsOperation(policy, ...capability)) &&
    (level === undefined || allowsLevel(policy.side_effect_level, level));
  return allowed ? null : `builtin '${name}' exceeds ${need.ceiling ?? capability?.join(".") ?? ""} ceiling`;
};

/** Why an operation of an unknown host may not be used under a policy: only a trusted one may (spec/workflow 10.6). */
export const bridgedExcess = (name: string, trusted: boolean): string | null =>
  trusted
    ? null
    : `bridged builtin '${name}' exceeds execution policy; declare an explicit capability/tool surface instead`;

const WORKSPACE_WRITES: ReadonlySet<string> = new Set(["write_text", "apply_edit", "delete"]);

const hostLevel = (capability: string, operation: string): string => {
  if (capability === "workspace" && WORKSPACE_WRITES.has(operation)) return "workspace_write";
  return capability === "process" && operation === "exec" ? "process_exec" : "read_only";
};

/** Why a policy does not let an operation of the host be called, or null (spec/workflow 10.6). */
export const hostCallExcess = (policy: CapabilityPolicy, name: string): string | null => {
  const [capability = "", operation = "", ...rest] = name.split(".");
  if (capability === "" || operation === "" || rest.length > 0)
    return `host_call '${name}' must use capability.operation naming`;
  if (!allowsOperation(policy, capability, operation)) return `host_call ${name} exceeds capability ceiling`;
  return allowsLevel(policy.side_effect_level, hostLevel(capability, operation))
    ? null
    : `host_call ${name} exceeds side-effect ceiling`;
};
