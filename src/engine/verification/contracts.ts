import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { parseJson } from "../../lib/json-text.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { WorkflowGraph, WorkflowNode } from "../../schema/graph.ts";
import type { VerificationContract, VerificationRequirement } from "../../schema/policy.ts";
import { nodeIds, nodeOf } from "../graph/normalize.ts";
import { contractPath } from "./contract-paths.ts";
import { decodeContracts } from "./injected.ts";

/** The texts of the assets that contracts are read from, by name: they stand for the files of a file system. */
export type ContractAssets = Readonly<Record<string, string>>;

const LIST_NAMES = {
  required_identifiers: ["required_identifiers", "identifiers"],
  required_paths: ["required_paths", "paths"],
  required_text: ["required_text", "exact_text", "required_strings"],
  notes: ["notes"],
} as const;

type ListField = keyof typeof LIST_NAMES;

const EMPTY: VerificationContract = {
  source_node: null,
  summary: null,
  command: null,
  expect_status: null,
  assert_text: null,
  expect_text: null,
  required_identifiers: [],
  required_paths: [],
  required_text: [],
  notes: [],
  checks: [],
};

const trimmed = (value: Json | undefined): string | null =>
  typeof value === "string" && value.trim() !== "" ? value.trim() : null;

const textsAt = (source: JsonObject, field: ListField): readonly string[] =>
  LIST_NAMES[field]
    .flatMap((name): readonly Json[] => {
      const value = source[name] ?? [];
      return Array.isArray(value) ? (value as readonly Json[]) : [value];
    })
    .map(trimmed)
    .filter((text) => text !== null);

const requirementsAt = (source: JsonObject): readonly VerificationRequirement[] => {
  const { checks } = source;
  return (Array.isArray(checks) ? (checks as readonly Json[]) : []).flatMap((entry) => {
    if (!isObject(entry)) return [];
    const kind = trimmed(entry["kind"]);
    const value = trimmed(entry["value"]);
    const note = trimmed(entry["note"]) ?? trimmed(entry["description"]) ?? trimmed(entry["reason"]);
    return kind === null || value === null ? [] : [{ kind, value, note }];
  });
};

const unique = <Item>(items: readonly Item[], keyOf: (item: Item) => string): readonly Item[] => {
  const kept = new Map<string, Item>();
  for (const item of items) if (!kept.has(keyOf(item))) kept.set(keyOf(item), item);
  return [...kept.values()];
};

const mergeLists = (contract: VerificationContract, source: JsonObject, field: ListField): readonly string[] => [
  ...new Set([...contract[field], ...textsAt(source, field)]),
];

const wholeNumber = (value: Json | undefined): number | null =>
  typeof value === "number" && Number.isSafeInteger(value) ? value : null;

/** Merges the fields of a source into a contract: set fields stay, lists grow by what is new. */
const merge = (contract: VerificationContract, source: JsonObject): VerificationContract => ({
  ...contract,
  summary: contract.summary ?? trimmed(source["summary"]),
  command: contract.command ?? trimmed(source["command"]),
  expect_status: contract.expect_status ?? wholeNumber(source["expect_status"]),
  assert_text: contract.assert_text ?? trimmed(source["assert_text"]),
  expect_text: contract.expect_text ?? trimmed(source["expect_text"]),
  required_identifiers: mergeLists(contract, source, "required_identifiers"),
  required_paths: mergeLists(contract, source, "required_paths"),
  required_text: mergeLists(contract, source, "required_text"),
  notes: mergeLists(contract, source, "notes"),
  checks: unique([...contract.checks, ...requirementsAt(source)], (check) => JSON.stringify(check)),
});

const derivedChecks = (contract: VerificationContract): readonly VerificationRequirement[] => {
  const checks: VerificationRequirement[] = [];
  const add = (kind: string, value: string | null, note: string): void => {
    if (value !== null) checks.push({ kind, value, note });
  };
  const status = contract.expect_status;
  add("visible_text_contains", contract.assert_text, "The visible output must contain this text.");
  add("combined_output_contains", contract.expect_text, "The combined output must contain this text.");
  add("expect_status", status === null ? null : String(status), "The command must exit with this status.");
  for (const name of contract.required_identifiers) add("identifier", name, "Use this identifier exactly as written.");
  for (const path of contract.required_paths) add("path", path, "Use this path exactly as written.");
  for (const text of contract.required_text) add("text", text, "Include this text exactly as written.");
  return checks;
};

const withDerivedChecks = (contract: VerificationContract): VerificationContract => ({
  ...contract,
  checks: unique([...contract.checks, ...derivedChecks(contract)], ({ kind, value }) => JSON.stringify([kind, value])),
});

const isEmpty = (contract: VerificationContract): boolean =>
  Object.entries(contract).every(
    ([field, value]) => field === "source_node" || value === null || (Array.isArray(value) && value.length === 0),
  );

const loadFile = (verify: JsonObject, assets: ContractAssets): Result<JsonObject, string> => {
  const path = contractPath(verify);
  if (path === null) return ok({});
  const text = Object.hasOwn(assets, path) ? assets[path] : undefined;
  if (text === undefined) return err(`workflow verification contract read failed for ${path}: no such asset`);
  const content = parseJson(text);
  if (!content.ok) return err(`workflow verification contract parse failed for ${path}: not valid JSON`);
  return isObject(content.value)
    ? ok(content.value)
    : err("workflow verification contract file must parse to a JSON object");
};

/** What the `verify` object of one node demands, or null when it demands nothing (spec/workflow 7.2). */
export const contractOf = (
  nodeId: string,
  verify: Json,
  assets: ContractAssets = {},
): Result<VerificationContract | null, string> => {
  if (!isObject(verify)) return ok(null);
  const file = loadFile(verify, assets);
  if (!file.ok) return file;
  const inline = verify["contract"] ?? {};
  if (!isObject(inline)) return err("workflow verify.contract must be an object");
  const merged = [file.value, inline, verify].reduce(merge, { ...EMPTY, source_node: nodeId });
  const contract = withDerivedChecks(merged);
  return ok(isEmpty(contract) ? null : contract);
};

const sameContract = (contract: VerificationContract): string =>
  JSON.stringify([
    contract.source_node,
    contract.summary,
    contract.command,
    contract.expect_status,
    contract.assert_text,
    contract.expect_text,
    contract.required_identifiers,
    contract.required_paths,
    contract.required_text,
    contract.notes,
    contract.checks.map(({ kind, value, note }) => [kind, value, note]),
  ]);

/** The contracts of all nodes in the order of their ids, each once (spec/workflow 7.2). */
export const collectContracts = (
  graph: Pick<WorkflowGraph, "nodes">,
  assets: ContractAssets = {},
): Result<readonly VerificationContract[], string> => {
  const contracts: VerificationContract[] = [];
  for (const id of nodeIds(graph)) {
    const contract = contractOf(id, nodeOf(graph, id)?.verify ?? null, assets);
    if (!contract.ok) return contract;
    if (contract.value !== null) contracts.push(contract.value);
  }
  return ok(unique(contracts, sameContract));
};

/**
 * The contracts a stage is told about: those injected into it and its own, or only its own when its metadata says
 * `workflow_verification_scope: "local_only"` (spec/workflow 7.2). `injected` is the list from its metadata, or any value
 * that may be one.
 */
export const contractsForStage = (
  node: Pick<WorkflowNode, "id" | "verify" | "metadata">,
  injected: Json | undefined,
  assets: ContractAssets = {},
): Result<readonly VerificationContract[], string> => {
  const id = node.id ?? "";
  const own = contractOf(id, node.verify, assets);
  if (!own.ok) return own;
  const local = own.value === null ? [] : [own.value];
  if (node.metadata["workflow_verification_scope"] === "local_only") return ok(local);
  const decoded = decodeContracts(injected ?? []);
  if (!decoded.ok) {
    return err(`workflow stage ${id} verification contract metadata parse failed: ${decoded.error}`);
  }
  return ok(unique([...decoded.value, ...local], sameContract));
};
