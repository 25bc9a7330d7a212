import { filledBytes } from "../../lib/body-marker.ts";
import { unixSeconds } from "../../lib/time.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { Context } from "../machine.ts";

/** What normalisation takes from outside: the moment and fresh ids. */
export type ArtifactContext = Pick<Context, "now" | "nextId">;

/** An artifact of which any field may still be missing. */
export type ArtifactInput = { readonly [Field in keyof ArtifactRecord]?: ArtifactRecord[Field] | undefined };

const KIND_ALIASES: ReadonlyMap<string, string> = new Map([
  ["file", "workspace_file"],
  ["transcript", "transcript_summary"],
  ["verification", "verification_result"],
  ["test", "test_result"],
]);

const KIND_PRIORITIES: ReadonlyMap<string, number> = new Map([
  ["verification_result", 100],
  ["test_result", 100],
  ["verification_bundle", 95],
  ["handoff", 92],
  ["diff", 90],
  ["git_diff", 90],
  ["patch", 90],
  ["patch_set", 90],
  ["patch_proposal", 90],
  ["diff_review", 90],
  ["review_decision", 90],
  ["apply_intent", 90],
  ["plan", 80],
  ["workspace_file", 70],
  ["workspace_snapshot", 70],
  ["editor_selection", 70],
  ["resource", 70],
  ["summary", 60],
  ["transcript_summary", 60],
  ["command_result", 50],
]);

const OTHER_KINDS_PRIORITY = 40;

/** The full name of a kind: aliases are spelled out, a blank kind is `artifact`, any other is kept (spec/workflow 1.14). */
export const normalizeKind = (kind: string): string =>
  kind.trim() === "" ? "artifact" : (KIND_ALIASES.get(kind) ?? kind);

/** The priority an artifact of this normalised kind has unless it names one (spec/workflow 1.14). */
export const defaultPriority = (kind: string): number => KIND_PRIORITIES.get(kind) ?? OTHER_KINDS_PRIORITY;

/** The size of a text, bodies included, as tokens: a quarter of its UTF-8 bytes, rounded up (spec/workflow 1.14). */
export const estimateTokens = (text: string): number => Math.ceil(filledBytes(text) / 4);

/** Fills every empty field of an artifact; a normal artifact comes back equal (spec/workflow 1.14). */
export const normalizeArtifact = (input: ArtifactInput, context: ArtifactContext): ArtifactRecord => {
  const kind = normalizeKind(input.kind ?? "");
  const text = input.text ?? null;
  return {
    _type: input._type || "artifact",
    id: input.id || context.nextId("artifact"),
    kind,
    title: input.title ?? null,
    text,
    data: input.data ?? null,
    source: input.source ?? null,
    created_at: input.created_at || unixSeconds(context.now),
    freshness: input.freshness ?? null,
    priority: input.priority ?? defaultPriority(kind),
    lineage: input.lineage ?? [],
    relevance: input.relevance ?? null,
    estimated_tokens: input.estimated_tokens ?? (text === null ? null : estimateTokens(text)),
    stage: input.stage ?? null,
    metadata: input.metadata ?? {},
  };
};
