import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AppendList, AppendMap } from "../../../src/lib/append.ts";

/** An operation on a version chosen among all made so far: persistent means that none of them ever changes. */
const operation = fc.record({ version: fc.nat(1_000), items: fc.array(fc.nat(20), { maxLength: 3 }) });

describe("AppendList", () => {
  it("[lib] every version keeps its own elements, whatever is appended to any other", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9)), fc.array(operation, { maxLength: 30 }), (start, operations) => {
        const lists: AppendList<number>[] = [AppendList.of(start), AppendList.empty];
        const models: number[][] = [start, []];
        for (const { version, items } of operations) {
          const at = version % lists.length;
          lists.push((lists[at] as AppendList<number>).append(items));
          models.push([...(models[at] as number[]), ...items]);
        }
        expect(lists.map((list) => list.toArray())).toEqual(models);
        expect(lists.map((list) => list.length)).toEqual(models.map((model) => model.length));
        expect(JSON.stringify(lists)).toBe(JSON.stringify(models));
      }),
    );
  });

  it("[lib] finds elements by index, from the end too, and none beyond its own end", () => {
    const short = AppendList.of(["a", "b"]);
    const long = short.append(["c"]);
    expect([short.at(0), short.at(-1), short.at(2), short.at(-3)]).toEqual(["a", "b", undefined, undefined]);
    expect(long.at(2)).toBe("c");
    expect(short.append([])).toBe(short);
  });

  it("[lib] a prefix is a version of its own: appending to it changes neither the whole nor another prefix", () => {
    const whole = AppendList.of([1, 2, 3]);
    const two = whole.prefix(2);
    expect([two.append([9]), two, whole.append([4]), whole.prefix(9)].map((list) => list.toArray())).toEqual([
      [1, 2, 9],
      [1, 2],
      [1, 2, 3, 4],
      [1, 2, 3],
    ]);
    expect(whole.prefix(0).append([7]).toArray()).toEqual([7]);
    expect(AppendList.empty.length).toBe(0);
    expect([two.slice(1), two.slice(0, 9), whole.slice(-5, 1)]).toEqual([[2], [1, 2], [1]]);
  });

  it("[lib] an array taken out of it is the taker's own", () => {
    const list = AppendList.of([1]);
    list.toArray().push(2);
    expect(list.toArray()).toEqual([1]);
  });
});

describe("AppendMap", () => {
  it("[lib] every version keeps its own entries and the first value of each key", () => {
    const added = fc.record({
      version: fc.nat(1_000),
      key: fc.constantFrom("a", "b", "c", "__proto__"),
      value: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(added, { maxLength: 30 }), (operations) => {
        const maps: AppendMap<number>[] = [AppendMap.empty];
        const models: (readonly [string, number])[][] = [[]];
        for (const { version, key, value } of operations) {
          const at = version % maps.length;
          const model = models[at] as (readonly [string, number])[];
          maps.push((maps[at] as AppendMap<number>).add(key, value));
          models.push(model.some(([known]) => known === key) ? model : [...model, [key, value]]);
        }
        expect(JSON.stringify(maps)).toBe(JSON.stringify(models));
        for (const [index, map] of maps.entries()) {
          const model = new Map(models[index]);
          expect(map.size).toBe(model.size);
          for (const key of ["a", "b", "c", "__proto__"]) {
            expect(map.has(key)).toBe(model.has(key));
            expect(map.get(key)).toBe(model.get(key));
          }
        }
      }),
    );
  });

  it("[lib] adding a known key gives the same map", () => {
    const map = AppendMap.of([["a", 1]]);
    expect(map.add("a", 2)).toBe(map);
    expect(map.keys()).toEqual(["a"]);
  });
});
