import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import type { StageInput } from "../node/stage-output.ts";
import { stagePolicies } from "../policy/scopes.ts";
import { contractsForStage } from "../verification/contracts.ts";
import { recordedInput } from "../replay/next-stage.ts";
import type { StageCompleted } from "./event.ts";
import type { PersonWork, PreparedStage, Run, SettledBranch } from "./state.ts";

/** Work that asks nobody anything. */
const NOT_ASKED: ReadonlySet<string> = new Set([
  "precomputed",
  "condition",
  "reduce",
  "map",
  "sleep",
  "wait",
  "delegate",
  "person",
]);

/** How a stage was asked; null for one that was not asked anything (spec/workflow 8.5). */
export const stageInput = (
  run: Run,
  node: WorkflowNode,
  prepared: PreparedStage,
  titles: ReadonlyMap<string, string>,
): StageInput | null => {
  const { work } = prepared;
  if (NOT_ASKED.has(work.type)) return null;
  const text = work.type === "model" ? work.text : null;
  const part = (range: readonly [number, number] | undefined): string =>
    text === null || range === undefined ? "" : text.prompt.slice(range[0], range[1]);
  const contracts = contractsForStage(node, run.contracts, run.assets);
  return {
    prompt: text?.prompt ?? "",
    system_prompt: node.system ?? "",
    rendered_context: part(text?.context),
    verification_contracts: contracts.ok ? contracts.value : [],
    rendered_verification_context: part(text?.verification),
    selected_artifact_ids: prepared.selected_artifact_ids,
    selected_artifact_titles: prepared.selected_artifact_ids.map((id) => titles.get(id) ?? id),
    tool_format: String((node.model_policy as unknown as JsonObject)["tool_format"] ?? "text"),
  };
};

interface MetadataInput {
  readonly run: Run;
  readonly node: WorkflowNode;
  readonly prepared: PreparedStage;
  readonly event: StageCompleted;
  readonly input: StageInput | null;
}

const asJson = (value: unknown): Json => value as Json;

const personMetadata = ({ request_id, handler, approved }: PersonWork): JsonObject => ({
  request_id,
  ...(approved === true && handler !== null ? { function: asJson(handler) } : {}),
});

const workMetadata = (prepared: PreparedStage): JsonObject => {
  if (prepared.work.type === "http") return { http: asJson(prepared.work.call) };
  if (prepared.work.type === "reduce") return { function: { name: prepared.work.function } };
  if (prepared.work.type === "person") return personMetadata(prepared.work);
  if (prepared.work.type === "function") return { function: asJson(prepared.work.call) };
  return {};
};

/** Failures a map's stage shows, and the characters of each; the events of the run have all of them. */
const SHOWN_FAILURES = 20;
const SHOWN_ERROR = 500;

const failuresOf = (branches: readonly SettledBranch[]): JsonObject => {
  const failed = branches
    .filter(({ status, error }) => status === "failed" || error !== null)
    .toSorted((left, right) => left.index - right.index);
  if (failed.length === 0) return {};
  const shown = failed.slice(0, SHOWN_FAILURES);
  return {
    failed: failed.length,
    failures: shown.map(({ index, error }) => ({ index, error: error?.slice(0, SHOWN_ERROR) ?? null })),
  };
};

/** How a map ended: branches that were under way when it did were cancelled, the rest never started. */
const mapMetadata = ({ map, work }: PreparedStage): JsonObject => {
  if (map === null || work.type !== "map" || map.started === 0) return {};
  const branches = map.settled.toArray();
  const settled = new Set(branches.map((branch) => branch.index));
  const cancelled = Array.from({ length: map.started }, (_, index) => index).filter((index) => !settled.has(index));
  const retried = branches.filter((branch) => branch.attempts > 1);
  return {
    map: {
      total: work.map.total,
      started: map.started,
      settled: branches.length,
      ...failuresOf(branches),
      cancelled,
      attempts: Object.fromEntries(retried.map(({ index, attempts }) => [String(index), attempts])),
    },
  };
};

/** What a replayed map says of the branches that were executed. */
const replayedMap = ({ kind, work }: PreparedStage, { map }: JsonObject): JsonObject =>
  kind === "map" && work.type === "precomputed" && isObject(map) ? { map } : {};

const toolCallingMode = (result: JsonObject): JsonObject => {
  const tools = result["tools"];
  return isObject(tools) && tools["mode"] !== undefined ? { tool_calling_mode: tools["mode"] as Json } : {};
};

const ofResult = (result: JsonObject): JsonObject => {
  const worker = result["worker"];
  const copied = ["provider", "model", "error_category", "status_code"].flatMap((key) =>
    result[key] === undefined ? [] : [[key, result[key] as Json] as const],
  );
  return {
    ...Object.fromEntries(copied),
    ...(worker === undefined ? {} : { worker }),
    ...(isObject(worker) && worker["id"] !== undefined ? { worker_id: worker["id"] as Json } : {}),
    ...toolCallingMode(result),
  };
};

/** The metadata of a stage's record: the policies, contracts and inputs that shaped it (spec/workflow 4.6). */
export const stageMetadata = ({ run, node, prepared, event, input }: MetadataInput): JsonObject => {
  const policies = stagePolicies(run, node, prepared.options);
  const failed = event.branch === "error";
  const asked = input === null ? recordedInput(event.result) : failed ? {} : withoutMode(input);
  return {
    model_policy: asJson(node.model_policy),
    auto_compact: asJson(node.auto_compact),
    context_policy: asJson(node.context_policy),
    retry_policy: asJson(node.retry_policy),
    effective_capability_policy: policies.ok ? asJson(policies.value.policy) : null,
    input_contract: asJson(node.input_contract),
    output_contract: asJson(node.output_contract),
    ...(node.output_visibility == null ? {} : { output_visibility: node.output_visibility }),
    mode: prepared.mode,
    ...mapMetadata(prepared),
    ...replayedMap(prepared, event.result),
    ...asked,
    ...workMetadata(prepared),
    ...ofResult(event.result),
    ...(event.error === null ? {} : { error: event.error }),
  };
};

const withoutMode = (input: StageInput): JsonObject => {
  const { tool_format: _, verification_contracts: contracts, ...asked } = input;
  return {
    ...(asked as unknown as JsonObject),
    ...(contracts === undefined || contracts.length === 0 ? {} : { verification_contracts: asJson(contracts) }),
  };
};
