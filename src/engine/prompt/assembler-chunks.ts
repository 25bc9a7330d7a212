import { byteLength } from "../../lib/json.ts";
import { sha256Hex } from "../../lib/stable-uuid.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";

/** A piece of an artifact's text. */
export interface Chunk {
  readonly artifact: ArtifactRecord;
  /** Counted from 0, of `count` chunks of the artifact. */
  readonly index: number;
  readonly count: number;
  readonly text: string;
  readonly tokens: number;
}

/** Something that is not in the context, and why (spec/workflow 17.3). */
export interface Dropped {
  readonly artifact_id: string;
  readonly chunk_index: number | null;
  readonly reason: "no_text" | "empty_text" | "duplicate" | "budget_exceeded";
}

const BYTES_PER_TOKEN = 4;
const CHARACTERS_PER_TOKEN = 4;

const tokensOf = (text: string): number => Math.ceil(byteLength(text) / BYTES_PER_TOKEN);

/** `{artifact_id}#{first 16 hex digits of sha256(text)}` (spec/workflow 17.3). */
export const chunkId = (chunk: Chunk): string => `${chunk.artifact.id}#${sha256Hex(chunk.text).slice(0, 16)}`;

/** Where a piece that begins at `start` ends: behind a paragraph, else behind a line, else between two characters. */
const endOf = (text: string, start: number, size: number): number => {
  const limit = start + size;
  if (limit >= text.length) return text.length;
  for (const boundary of ["\n\n", "\n"]) {
    const at = text.lastIndexOf(boundary, limit - boundary.length);
    if (at >= start) return at + boundary.length;
  }
  const splitsPair = (text.charCodeAt(limit) & 0xfc00) === 0xdc00 && (text.charCodeAt(limit - 1) & 0xfc00) === 0xd800;
  return splitsPair && limit - 1 > start ? limit - 1 : limit;
};

/** The pieces of a text, which together are the text. */
export const splitText = (text: string, size: number): readonly string[] => {
  const pieces: string[] = [];
  for (let start = 0; start < text.length;) {
    const end = endOf(text, start, size);
    pieces.push(text.slice(start, end));
    start = end;
  }
  return pieces;
};

/** The chunks of artifacts in their order; an artifact without text, or with a blank one, has none (spec/workflow 17.3). */
export const chunksOf = (
  artifacts: readonly ArtifactRecord[],
  threshold: number,
): { readonly chunks: readonly Chunk[]; readonly dropped: readonly Dropped[] } => {
  const chunks: Chunk[] = [];
  const dropped: Dropped[] = [];
  for (const artifact of artifacts) {
    const { text } = artifact;
    if (text === null || text.trim() === "") {
      const reason = text === null ? "no_text" : "empty_text";
      dropped.push({ artifact_id: artifact.id, chunk_index: null, reason });
      continue;
    }
    const whole = tokensOf(text) <= threshold;
    const pieces = (whole ? [text] : splitText(text, threshold * CHARACTERS_PER_TOKEN)).filter(
      (piece) => piece.trim() !== "",
    );
    for (const [index, piece] of pieces.entries())
      chunks.push({ artifact, index, count: pieces.length, text: piece, tokens: tokensOf(piece) });
  }
  return { chunks, dropped };
};
