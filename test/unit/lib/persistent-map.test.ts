import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PersistentMap } from "../../../src/lib/persistent-map.ts";

const change = fc.record({
  version: fc.nat(1_000),
  key: fc.constantFrom("a", "b", "c", "__proto__"),
  value: fc.option(fc.nat(), { nil: undefined }),
});

describe("PersistentMap", () => {
  it("[lib] every version keeps its own entries, whatever becomes of any other", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
        const maps = [PersistentMap.empty<number>()];
        const models: ReadonlyMap<string, number>[] = [new Map()];
        for (const { version, key, value } of changes) {
          const at = version % maps.length;
          const map = maps[at] as PersistentMap<number>;
          const model = new Map(models[at]);
          if (value === undefined) model.delete(key);
          else model.set(key, value);
          maps.push(value === undefined ? map.delete(key) : map.set(key, value));
          models.push(model);
        }
        for (const [index, map] of maps.entries()) {
          const model = models[index] as ReadonlyMap<string, number>;
          expect(map.entries()).toEqual([...model].toSorted(([a], [b]) => (a < b ? -1 : 1)));
          expect(map.size).toBe(model.size);
          for (const key of ["a", "b", "c", "__proto__"]) {
            expect(map.get(key)).toBe(model.get(key));
            expect(map.has(key)).toBe(model.has(key));
          }
        }
      }),
    );
  });

  it("[lib] going back over many versions needs no stack", () => {
    const first = PersistentMap.empty<number>().set("k", -1);
    let last = first;
    for (let i = 0; i < 50_000; i++) last = last.set("k", i);
    expect(first.get("k")).toBe(-1);
    expect(last.get("k")).toBe(49_999);
  });

  it("[lib] taking away what is not there gives the same map, and as JSON it is its entries", () => {
    const map = PersistentMap.empty<number>().set("b", 2).set("a", 1);
    expect(map.delete("c")).toBe(map);
    expect(JSON.stringify(map)).toBe('[["a",1],["b",2]]');
  });
});
