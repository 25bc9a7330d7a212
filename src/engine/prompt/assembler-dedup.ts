import type { AssemblerOptions } from "./assembler-options.ts";
import type { Chunk } from "./assembler-chunks.ts";

/** With so many different chunks the rest is only compared exactly: comparing all with all would not end in time. */
const MAX_COMPARED = 256;

const normalized = (text: string): string => text.trim().replaceAll(/\s+/g, " ");

const trigramsOf = (text: string): ReadonlySet<string> => {
  const grams = new Set<string>();
  const lower = text.toLowerCase();
  if (lower.length < 3) return grams.add(lower);
  for (let i = 0; i + 3 <= lower.length; i++) grams.add(lower.slice(i, i + 3));
  return grams;
};

/** Whether two sets have at least this part of their union in common (Jaccard). */
const overlaps = (a: ReadonlySet<string>, b: ReadonlySet<string>, atLeast: number): boolean => {
  const [small, large] = a.size <= b.size ? [a, b] : [b, a];
  // The union is at least as large as the larger set.
  if (small.size < atLeast * large.size) return false;
  let common = 0;
  for (const gram of small) if (large.has(gram)) common += 1;
  return common >= atLeast * (a.size + b.size - common);
};

/** Chunks that say something new, and those that repeat an earlier one (spec/workflow 17.3). */
export const dropRepeated = (
  chunks: readonly Chunk[],
  { dedup, semantic_overlap: overlap }: Pick<AssemblerOptions, "dedup" | "semantic_overlap">,
): { readonly kept: readonly Chunk[]; readonly repeated: readonly Chunk[] } => {
  if (dedup === "none") return { kept: chunks, repeated: [] };
  const seen = new Set<string>();
  const grams: ReadonlySet<string>[] = [];
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
