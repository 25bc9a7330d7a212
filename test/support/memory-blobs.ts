import { createHash } from "node:crypto";
import type { BodyRef } from "../../src/lib/body-marker.ts";
import { byteLength } from "../../src/lib/json.ts";
import type { Blobs } from "../../src/ports/blobs.ts";

/** Blobs in memory, and what was asked of them. */
export interface MemoryBlobs extends Blobs {
  readonly bodies: Map<string, string>;
  readonly gets: BodyRef[];
}

/** Keeps bodies in memory as R2 keeps them: a reference with other sizes than the body's finds nothing. */
export const memoryBlobs = (): MemoryBlobs => {
  const bodies = new Map<string, string>();
  const gets: BodyRef[] = [];
  const find = ({ sha256, bytes, chars }: BodyRef): string | null => {
    const text = bodies.get(sha256);
    return text === undefined || text.length !== chars || byteLength(text) !== bytes ? null : text;
  };
  return {
    bodies,
    gets,
    put: async (text) => {
      const sha256 = createHash("sha256").update(text).digest("hex");
      bodies.set(sha256, text);
      return { sha256, bytes: byteLength(text), chars: text.length };
    },
    get: async (ref, units) => {
      gets.push(ref);
      return find(ref)?.slice(0, units) ?? null;
    },
    has: async (ref) => find(ref) !== null,
    open: async () => null,
  };
};
