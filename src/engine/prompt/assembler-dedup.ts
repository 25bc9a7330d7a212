import type { AssemblerOptions } from "./assembler-options.ts";
import type { Chunk } from "./assembler-chunks.ts";

/** With so many different chunks the rest is only compared exactly: comparing all with all would not end in time. */
const MAX_COMPARED = 256;

const normalized = (text: string): string => text.trim().split(/\s+/).join(" ");

/**
 * Three characters in a row, ten bits of each: exact for alphabets, and for the others close enough to tell texts apart. Small
 * numbers, because sets of them are much faster than sets of texts.
 */
const trigramsOf = (text: string): ReadonlySet<number> => {
  const grams = new Set<number>();
  const lower = text.toLowerCase();
  let gram = 0;
  for (let i = 0; i < lower.length; i++) {
    gram = ((gram << 10) | (lower.charCodeAt(i) & 0x3ff)) & 0x3fffffff;
    if (i >= 2 || i === lower.length - 1) grams.add(gram);
  }
  return grams;
};

/** Whether two sets have at least this part of their union in common (Jaccard). */
const overlaps = (a: ReadonlySet<number>, b: ReadonlySet<number>, atLeast: number): boolean => {
  const [small, large] = a.size <= b.size ? [a, b] : [b, a];
  // The union is at least as large as the larger set.
  if (small.size < atLeast * large.size) return false;
  const total = small.size + large.size;
  let missing = 0;
  for (const gram of small) {
    if (large.has(gram)) continue;
    missing += 1;
    const common = small.size - missing;
    if (common < atLeast * (total - common)) return false;
  }
  return true;
};

/** Chunks that say something new, and those that repeat an earlier one (spec/workflow 17.3). */
export const dropRepeated = (
  chunks: readonly Chunk[],
  { dedup, semantic_overlap: overlap }: Pick<AssemblerOptions, "dedup" | "semantic_overlap">,
): { readonly kept: readonly Chunk[]; readonly repeated: readonly Chunk[] } => {
  if (dedup === "none") return { kept: chunks, repeated: [] };
  const seen = new Set<string>();
  const grams: ReadonlySet<number>[] = [];
  const isNew = (chunk: Chunk): boolean => {
    const text = normalized(chunk.text);
    if (seen.has(text)) return false;
    seen.add(text);
    if (dedup === "chunked" || grams.length >= MAX_COMPARED) return true;
    const own = trigramsOf(text);
    if (grams.some((known) => overlaps(own, known, overlap))) return false;
    grams.push(own);
    return true;
  };
  const kept: Chunk[] = [];
  const repeated: Chunk[] = [];
  for (const chunk of chunks) (isNew(chunk) ? kept : repeated).push(chunk);
  return { kept, repeated };
};
