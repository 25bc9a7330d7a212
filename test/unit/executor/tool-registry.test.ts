import * as z from "zod";
import { describe, expect, it } from "vitest";
import { createReducers, createRegistry } from "../../../src/executor/registry.ts";
import { createTools } from "../../../src/executor/tool-registry.ts";
import type { ToolContext } from "../../../src/ports/tools.ts";
import { reducers } from "../../../src/reducers.ts";
import { tools } from "../../../src/tools.ts";

const context: ToolContext = {
  run_id: "r",
  stage_id: "r:n:1",
  node_id: "n",
  attempt: 1,
  call_id: "c",
  idempotency_key: "r:n:1:c",
  signal: new AbortController().signal,
};

const registry = createTools({
  plain: { description: "p", parameters: { type: "object" }, execute: (args) => args },
  checked: {
    description: "c",
    parameters: z.object({ count: z.coerce.number().int() }),
    annotations: { kind: "read" },
    execute: ({ count }, { call_id: call }) => ({ next: count + 1, call }),
  },
});

describe("tools", () => {
  it("[W-1.3] are found by name, and what objects inherit is no tool", () => {
    expect(registry.names).toEqual(["checked", "plain"]);
    expect(registry.find("constructor")).toBeUndefined();
    expect(createRegistry({ b: (input) => input, a: (input) => input }).names).toEqual(["a", "b"]);
    expect(createReducers({}).find("toString")).toBeUndefined();
  });

  it("[W-1.3] show a JSON schema, whichever way the parameters were written", () => {
    expect(registry.find("plain")).toMatchObject({ description: "p", parameters: { type: "object" } });
    expect(registry.find("plain")).not.toHaveProperty("annotations");
    expect(registry.find("checked")).toMatchObject({
      parameters: { type: "object", required: ["count"] },
      annotations: { kind: "read" },
    });
  });

  it("[W-1.3] with a schema get decoded arguments; others get them as they came", async () => {
    expect(await registry.find("checked")?.execute({ count: "4" }, context)).toEqual({ next: 5, call: "c" });
    expect(await registry.find("plain")?.execute({ any: [1] }, context)).toEqual({ any: [1] });
  });

  it("[W-0.3] fail with the category schema_validation and every bad place", async () => {
    await expect(Promise.resolve(registry.find("checked")?.execute({ count: "many" }, context))).rejects.toMatchObject({
      category: "schema_validation",
      message: expect.stringMatching(/^count: /) as string,
    });
  });

  it("[W-1.3] of the example find an order and pay it back under the call's key", async () => {
    expect(await tools.find("find_order")?.execute({ order: "A-1001" }, context)).toMatchObject({ state: "delivered" });
    expect(await tools.find("find_order")?.execute({ order: "A-9999" }, context)).toEqual({
      problem: "no order A-9999",
    });
    expect(await tools.find("refund_order")?.execute({ order: "A-1001", reason: "broken" }, context)).toEqual({
      order: "A-1001",
      reason: "broken",
      refund: "r:n:1:c",
    });
  });
});

describe("reducers", () => {
  it("[W-6.2] numbered lists texts, and data as JSON where there is no text", async () => {
    const inputs = [
      { text: "one", data: "one", index: 0 },
      { text: null, data: { two: 2 }, index: 1 },
    ];
    expect(await reducers.find("numbered")?.(inputs, context)).toBe('1. one\n2. {"two":2}');
  });
});
