import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { unixSeconds } from "../../lib/time.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import type { VerificationContract } from "../../schema/policy.ts";
import { type ArtifactContext, normalizeArtifact } from "../artifact/normalize.ts";

/** A finished stage, as its output artifact needs it. */
export interface FinishedStage {
  readonly node: Pick<WorkflowNode, "id" | "kind" | "output_contract" | "approval_policy">;
  readonly result: JsonObject;
  readonly selectedIds: readonly string[];
  readonly context: ArtifactContext;
}

const outputKind = (node: FinishedStage["node"]): string =>
  node.output_contract.output_kinds[0] ?? (node.kind === "verify" ? "verification_result" : "artifact");

const outputMetadata = (node: FinishedStage["node"], selectedIds: readonly string[]): JsonObject => {
  const metadata = { input_artifact_ids: selectedIds, node_kind: node.kind };
  const paths = node.approval_policy.write_path_allowlist;
  return paths.length === 0 ? metadata : { ...metadata, changed_paths: paths };
};

/** The artifact a stage produces; its data is the result as the executor gave it (spec/workflow 8.5). */
export const outputArtifact = ({ node, result, selectedIds, context }: FinishedStage): ArtifactRecord => {
  const id = node.id ?? "";
  return normalizeArtifact(
    {
      id: context.nextId("artifact"),
      kind: outputKind(node),
      title: `stage ${id} output`,
      text: typeof result["text"] === "string" ? result["text"] : "",
      data: result,
      source: id,
      stage: id,
      created_at: unixSeconds(context.now),
      freshness: "fresh",
      relevance: 1,
      lineage: selectedIds,
      metadata: outputMetadata(node, selectedIds),
    },
    context,
  );
};

/** How a stage was asked, kept once beside the stage and added to its result when a record is shown. */
export interface StageInput {
  readonly prompt: string;
  readonly system_prompt: string;
  readonly rendered_context: string;
  readonly verification_contracts?: readonly VerificationContract[];
  readonly rendered_verification_context: string;
  readonly selected_artifact_ids: readonly string[];
  readonly selected_artifact_titles: readonly string[];
  /** How tools were offered to the model; null when that is not known. */
  readonly tool_format: string | null;
}

/** The result with how it was asked for: prompt, context, contracts, selection, tool mode (spec/workflow 8.5). */
export const augmentResult = (result: JsonObject, input: StageInput): JsonObject => {
  const { tool_format: mode, verification_contracts: contracts, ...asked } = input;
  const tools = isObject(result["tools"]) ? result["tools"] : {};
  // The mode an executor reports is the one it really used.
  const withMode = mode === null ? result : { ...result, tools: { mode, ...tools } };
  return {
    ...withMode,
    ...asked,
    // Contracts are plain JSON whose type only lacks an index signature.
    ...(contracts === undefined || contracts.length === 0
      ? {}
      : { verification_contracts: contracts as unknown as Json }),
  };
};

/** A stage's output artifact as a record shows it, with the augmented result as its data (spec/workflow 8.5). */
export const augmentArtifact = (artifact: ArtifactRecord, input: StageInput): ArtifactRecord =>
  isObject(artifact.data) ? { ...artifact, data: augmentResult(artifact.data, input) } : artifact;
