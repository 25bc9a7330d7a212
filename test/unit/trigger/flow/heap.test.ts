import { describe, expect, it } from "vitest";
import { Heap } from "../../../../src/engine/trigger/flow/heap.ts";

describe("a heap", () => {
  it("[T-10] keeps the first of its items at hand while others come, change and go", () => {
    const heap = new Heap<number>((a, b) => a - b);
    const items = new Map<string, number>();
    for (let index = 0; index < 400; index++) {
      const key = String((index * 7) % 53);
      if (index % 3 === 2) expect(heap.remove(key)).toBe(items.delete(key));
      else {
        heap.set(key, (index * 31) % 101);
        items.set(key, (index * 31) % 101);
      }
      const sorted = [...items.values()].toSorted((a, b) => a - b);
      expect([heap.first(), heap.size, heap.toSorted()]).toEqual([sorted[0], items.size, sorted]);
    }
    expect(items.size).toBeGreaterThan(10);
  });
});
