import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rfc3339, unixSeconds } from "../../../src/lib/time.ts";

describe("times", () => {
  it("[api] are RFC 3339 in UTC with milliseconds, in whatever order they are asked for", () => {
    const moments = fc.integer({ min: -8_640_000_000_000_000, max: 8_640_000_000_000_000 });
    const near = fc.integer({ min: 1_700_000_000_000, max: 1_700_000_003_000 });
    fc.assert(
      fc.property(fc.array(fc.oneof(moments, near), { minLength: 2 }), (all) => {
        for (const at of all) expect(rfc3339(at)).toBe(new Date(at).toISOString());
      }),
    );
    expect(() => rfc3339(Number.NaN)).toThrow(RangeError);
  });

  it("[W-0.4] are whole seconds as text in artifacts", () => {
    expect(unixSeconds(1_700_000_000_999)).toBe("1700000000");
  });
});
