import { describe, expect, it } from "vitest";
import { collectContracts, contractOf, contractsForStage } from "../../../src/engine/verification/contracts.ts";
import type { Json } from "../../../src/lib/json.ts";
import { errorOf, graphOf, nodeFrom, valueOf } from "../graph/fixture.ts";

const of = (verify: Json, assets = {}) => contractOf("n", verify, assets);
const kinds = (verify: Json) => valueOf(of(verify))?.checks.map(({ kind, value }) => [kind, value]);

describe("contractOf", () => {
  it("[W-7.2] collects requirements and derives checks", () => {
    const graph = graphOf({
      entry: "verify",
      nodes: {
        verify: {
          kind: "verify",
          verify: {
            command: "python verify.py",
            expect_status: 0,
            required_identifiers: ["rateLimit", " rateLimit ", ""],
            required_paths: ["src/middleware/rateLimit.ts"],
            required_text: ["app.use(rateLimit)"],
            notes: ["Do not rename the middleware export."],
          },
        },
      },
    });
    expect(valueOf(collectContracts(graph))).toMatchObject([
      {
        source_node: "verify",
        summary: null,
        command: "python verify.py",
        expect_status: 0,
        required_identifiers: ["rateLimit"],
        required_paths: ["src/middleware/rateLimit.ts"],
        required_text: ["app.use(rateLimit)"],
        notes: ["Do not rename the middleware export."],
        checks: [
          { kind: "expect_status", value: "0" },
          { kind: "identifier", value: "rateLimit" },
          { kind: "path", value: "src/middleware/rateLimit.ts" },
          { kind: "text", value: "app.use(rateLimit)" },
        ],
      },
    ]);
  });

  it("[W-7.2] an empty contract is none", () => {
    for (const verify of [
      null,
      {},
      "text",
      [],
      { command: "  ", required_paths: [], expect_status: "0", checks: "x" },
    ]) {
      expect(of(verify)).toEqual({ ok: true, value: null });
    }
    expect(valueOf(collectContracts(graphOf({ nodes: { v: { kind: "verify", verify: {} }, a: {} } })))).toEqual([]);
  });

  it("[W-7.2] texts are trimmed, other names are accepted and a text counts as a list", () => {
    expect(
      valueOf(
        of({
          summary: " s ",
          identifiers: "a",
          paths: ["p", 4],
          exact_text: "t",
          required_strings: [" u "],
          required_text: "t",
          notes: "n",
        }),
      ),
    ).toMatchObject({
      summary: "s",
      required_identifiers: ["a"],
      required_paths: ["p"],
      required_text: ["t", "u"],
      notes: ["n"],
    });
  });

  it("[W-7.2] derives a check for each text to be found", () => {
    expect(kinds({ assert_text: "A", expect_text: "E" })).toEqual([
      ["visible_text_contains", "A"],
      ["combined_output_contains", "E"],
    ]);
  });

  it("[W-7.2] given checks come first, are unique and need a kind and a value", () => {
    const checks = [
      { kind: " k ", value: "v", description: "d" },
      { kind: "k", value: "v", note: " ", reason: "d" },
      { kind: "k", value: " " },
      { value: "v" },
      "junk",
      { kind: "identifier", value: "x", note: "mine" },
    ];
    const contract = valueOf(of({ checks, identifiers: ["x"] }));
    expect(contract?.checks).toEqual([
      { kind: "k", value: "v", note: "d" },
      { kind: "identifier", value: "x", note: "mine" },
    ]);
  });

  it("[W-7.2] the file comes before the inline contract and that before the verify object", () => {
    const assets = { "c.json": JSON.stringify({ summary: "file", notes: ["f"] }) };
    const verify = {
      contract_path: " c.json ",
      contract: { summary: "inline", command: "inline", notes: ["i", "f"] },
      command: "own",
      assert_text: "own",
      notes: ["o"],
    };
    expect(valueOf(of(verify, assets))).toMatchObject({
      summary: "file",
      command: "inline",
      assert_text: "own",
      notes: ["f", "i", "o"],
    });
    expect(valueOf(of({ verification_contract_path: "c.json" }, assets))?.summary).toBe("file");
    expect(valueOf(of({ contract_path: " ", contract: null, command: "x" }))?.command).toBe("x");
  });

  it("[W-7.2] files and inline contracts that do not fit are refused", () => {
    const path = "workflow verification contract";
    const at = (contract_path: string) => errorOf(of({ contract_path }, { "bad.json": "{", "list.json": "[]" }));
    expect(at("gone.json")).toBe(`${path} read failed for gone.json: no such asset`);
    expect(at("toString")).toBe(`${path} read failed for toString: no such asset`);
    expect(at("bad.json")).toBe(`${path} parse failed for bad.json: not valid JSON`);
    expect(at("list.json")).toBe(`${path} file must parse to a JSON object`);
    expect(errorOf(of({ contract: "x" }))).toBe("workflow verify.contract must be an object");
    expect(errorOf(collectContracts(graphOf({ nodes: { a: { verify: { contract: [] } } } })))).toBe(
      "workflow verify.contract must be an object",
    );
  });
});

describe("contracts of a workflow", () => {
  it("[W-7.2] come in the order of node ids, of any kind", () => {
    const verify = { command: "x" };
    const contracts = valueOf(collectContracts(graphOf({ nodes: { b: { verify }, a: { verify }, c: {} } })));
    expect(contracts.map((contract) => contract.source_node)).toEqual(["a", "b"]);
  });
});

const sources = (...args: Parameters<typeof contractsForStage>) =>
  valueOf(contractsForStage(...args)).map((contract) => contract.source_node);

describe("contractsForStage", () => {
  const node = nodeFrom({ id: "n", verify: { command: "own" } });
  const injected = valueOf(
    collectContracts(graphOf({ nodes: { m: { verify: { command: "theirs" } }, n: { verify: { command: "own" } } } })),
  );
  it("[W-7.2] are the injected ones and its own, each once", () => {
    expect(sources(node, injected)).toEqual(["m", "n"]);
    expect(sources(node, injected.slice(0, 1))).toEqual(["m", "n"]);
    expect(sources(nodeFrom({ id: "n" }), injected)).toEqual(["m", "n"]);
    expect(sources(node, undefined)).toEqual(["n"]);
    expect(sources(node, null)).toEqual(["n"]);
  });

  it("[W-7.2] are only its own when its metadata says so", () => {
    const local = nodeFrom({ verify: { command: "own" }, metadata: { workflow_verification_scope: "local_only" } });
    expect(sources(local, injected)).toEqual([""]);
    expect(sources(nodeFrom({ metadata: { workflow_verification_scope: "local_only" } }), "junk")).toEqual([]);
  });

  it("[W-7.2] injected contracts are decoded leniently", () => {
    const [contract] = valueOf(contractsForStage(nodeFrom({ id: "n" }), [{ command: "x", checks: [{ note: null }] }]));
    expect(contract).toEqual({
      source_node: null,
      summary: null,
      command: "x",
      expect_status: null,
      assert_text: null,
      expect_text: null,
      required_identifiers: [],
      required_paths: [],
      required_text: [],
      notes: [],
      checks: [{ kind: "", value: "", note: null }],
    });
  });

  it.each<[Json, string]>([
    ["junk", "contracts: expected a list"],
    [[5], "contracts[0]: expected an object"],
    [[{}, { command: 5 }], "contracts[1].command: expected a string"],
    [[{ expect_status: 1.5 }], "contracts[0].expect_status: expected a whole number"],
    [[{ notes: [5] }], "contracts[0].notes[0]: expected a string"],
    [[{ notes: null }], "contracts[0].notes: expected a list"],
    [[{ checks: [5] }], "contracts[0].checks[0]: expected an object"],
    [[{ checks: [{ kind: 5 }] }], "contracts[0].checks[0].kind: expected a string"],
    [[{ checks: [{ value: 5 }] }], "contracts[0].checks[0].value: expected a string"],
    [[{ checks: [{ note: 5 }] }], "contracts[0].checks[0].note: expected a string"],
  ])("[W-7.2] %j cannot be decoded", (value, detail) => {
    const prefix = "workflow stage n verification contract metadata parse failed";
    expect(errorOf(contractsForStage(node, value))).toBe(`${prefix}: ${detail}`);
  });

  it("[W-7.2] a stage's own contract may be refused", () => {
    expect(errorOf(contractsForStage(nodeFrom({ id: "n", verify: { contract: 1 } }), []))).toBe(
      "workflow verify.contract must be an object",
    );
  });
});
