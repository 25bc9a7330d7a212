import type { Json } from "../../lib/json.ts";
import { ok, type Result } from "../../lib/result.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import { artifactTitle, escapeMarkup, renderArtifacts } from "../artifact/render.ts";
import { type Chunk, chunkId, chunksOf, type Dropped } from "./assembler-chunks.ts";
import { dropRepeated } from "./assembler-dedup.ts";
import { type AssemblerOptions, decodeAssembler } from "./assembler-options.ts";
import { inOrder } from "./assembler-order.ts";

/** A context within its budget: what is in it, in order, and what is not (spec/workflow 17.3). */
export interface AssembledContext {
  readonly chunks: readonly Chunk[];
  readonly dropped: readonly Dropped[];
  /** Never more than the budget. */
  readonly used_tokens: number;
  readonly text: string;
}

const droppedAs = (chunks: readonly Chunk[], reason: Dropped["reason"]): readonly Dropped[] =>
  chunks.map((chunk) => ({ artifact_id: chunk.artifact.id, chunk_index: chunk.index, reason }));

/** Takes every chunk that still fits; a smaller one may be taken after a larger one was passed over. */
const pack = (chunks: readonly Chunk[], budget: number) => {
  const taken: Chunk[] = [];
  const left: Chunk[] = [];
  let used = 0;
  for (const chunk of chunks) {
    if (used + chunk.tokens > budget) left.push(chunk);
    else {
      taken.push(chunk);
      used += chunk.tokens;
    }
  }
  return { taken, left, used };
};

const chunkBlock = (chunk: Chunk): string =>
  [
    "<artifact>",
    `<title>${escapeMarkup(artifactTitle(chunk.artifact))}</title>`,
    `<kind>${escapeMarkup(chunk.artifact.kind)}</kind>`,
    `<source>${escapeMarkup(chunk.artifact.source ?? "unknown")}</source>`,
    `<chunk_id>${escapeMarkup(chunkId(chunk))}</chunk_id>`,
    `<chunk_index>${chunk.index + 1} of ${chunk.count}</chunk_index>`,
    "<body>",
    chunk.text,
    "</body>",
    "</artifact>",
  ].join("\n");

const budgetBlock = (options: AssemblerOptions, used: number): string =>
  [
    "<context_budget>",
    `<used_tokens>${used}</used_tokens>`,
    `<budget_tokens>${options.budget_tokens}</budget_tokens>`,
    `<strategy>${options.strategy}</strategy>`,
    `<dedup>${options.dedup}</dedup>`,
    "</context_budget>",
  ].join("\n");

/**
 * Packs artifacts into a context of bounded size: split, without repetitions, ordered, as many as fit (spec/workflow 17.3).
 * The text is empty when nothing is in it.
 */
export const assembleContext = (
  artifacts: readonly ArtifactRecord[],
  options: AssemblerOptions,
  task: string,
): AssembledContext => {
  const split = chunksOf(artifacts, options.microcompact_threshold);
  const { kept, repeated } = dropRepeated(split.chunks, options);
  const ordered = inOrder(kept, options.strategy, options.query ?? task);
  const { taken, left, used } = pack(ordered, options.budget_tokens);
  return {
    chunks: taken,
    dropped: [...split.dropped, ...droppedAs(repeated, "duplicate"), ...droppedAs(left, "budget_exceeded")],
    used_tokens: used,
    text: taken.length === 0 ? "" : [...taken.map(chunkBlock), budgetBlock(options, used)].join("\n\n"),
  };
};

const isUnset = (value: Json | undefined): boolean => value === undefined || value === null || value === false;

/** The context of a stage: assembled where the node has a `context_assembler`, else its artifacts as they are (8.1). */
export const stageContext = (
  node: Pick<WorkflowNode, "context_assembler" | "context_policy">,
  selected: readonly ArtifactRecord[],
  task: string,
): Result<string, string> => {
  const assembler = node.context_assembler;
  if (assembler === undefined || isUnset(assembler)) return ok(renderArtifacts(selected, node.context_policy));
  const options = decodeAssembler(assembler);
  return options.ok ? ok(assembleContext(selected, options.value, task).text) : options;
};
