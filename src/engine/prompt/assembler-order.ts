import { byCodePoint, byteLength } from "../../lib/json.ts";
import type { Chunk } from "./assembler-chunks.ts";
import type { PackStrategy } from "./assembler-options.ts";

const SHORTEST_TERM = 3;
const DENSITY_BYTES = 400;
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/i;

/** The moment of a `created_at`, which may be unix seconds, RFC 3339 or a uuid v7 (spec/workflow 0.4); 0 for none. */
export const momentOf = (createdAt: string): number => {
  if (/^\d+(?:\.\d+)?$/.test(createdAt)) return Number(createdAt) * 1000;
  if (UUID_V7.test(createdAt)) return Number.parseInt(createdAt.slice(0, 8) + createdAt.slice(9, 13), 16);
  const parsed = Date.parse(createdAt);
  return Number.isNaN(parsed) ? 0 : parsed;
};

/** The words of a query that count: lower case, longer than two characters, each once. */
export const termsOf = (query: string): readonly string[] => [
  ...new Set(
    query
      .toLowerCase()
      .split(/[^\p{L}\p{N}_]+/u)
      .filter((word) => word.length >= SHORTEST_TERM),
  ),
];

/** How well a text answers a query: which part of its terms occur, and how densely (spec/workflow 17.3). */
export const relevanceOf = (text: string, terms: readonly string[]): number => {
  if (terms.length === 0) return 0;
  const lower = text.toLowerCase();
  const matched = terms.filter((term) => lower.includes(term)).length;
  const density = matched / (byteLength(text) / DENSITY_BYTES + 1);
  return 0.7 * (matched / terms.length) + 0.3 * Math.min(density, 1);
};

const byScore = (chunks: readonly Chunk[], score: (chunk: Chunk) => number): readonly Chunk[] =>
  chunks
    .map((chunk) => ({ chunk, score: score(chunk) }))
    .toSorted(
      (a, b) =>
        b.score - a.score || byCodePoint(a.chunk.artifact.id, b.chunk.artifact.id) || a.chunk.index - b.chunk.index,
    )
    .map(({ chunk }) => chunk);

/** The first chunk of each artifact in the order given, then the second of each, and so on. */
const interleaved = (chunks: readonly Chunk[]): readonly Chunk[] => {
  const queues = new Map<string, Chunk[]>();
  for (const chunk of chunks) {
    const queue = queues.get(chunk.artifact.id);
    if (queue === undefined) queues.set(chunk.artifact.id, [chunk]);
    else queue.push(chunk);
  }
  const rounds: Chunk[][] = [];
  for (const queue of queues.values()) for (const [round, chunk] of queue.entries()) (rounds[round] ??= []).push(chunk);
  return rounds.flat();
};

/** Chunks in the order in which they are packed (spec/workflow 17.3); newest first is by time, not by the text of it. */
export const inOrder = (chunks: readonly Chunk[], strategy: PackStrategy, query: string): readonly Chunk[] => {
  if (strategy === "round_robin") return interleaved(chunks);
  if (strategy === "recency") return byScore(chunks, ({ artifact }) => momentOf(artifact.created_at));
  const terms = termsOf(query);
  return byScore(chunks, ({ text }) => relevanceOf(text, terms));
};
