import { describe, expect, it } from "vitest";
import {
  condition,
  defineWorkflow,
  escalation,
  fork,
  join,
  map,
  reduce,
  sleep,
  stage,
  subagent,
  verify,
  wait,
} from "../../../src/authoring/index.ts";

const HAND_WRITTEN = {
  id: "hello",
  name: "Hello",
  entry: "greet",
  nodes: {
    greet: { kind: "stage", mode: "llm", prompt: "Greet.", model_policy: { provider: "scripted" } },
    is_friendly: {
      kind: "condition",
      context_policy: { include_kinds: ["artifact"] },
      metadata: { contains_text: "!" },
    },
    keep: { kind: "stage", mode: "function", function: "echo" },
  },
  edges: [
    { from: "greet", to: "is_friendly", branch: "success" },
    { from: "is_friendly", to: "keep", branch: "true" },
    { from: "is_friendly", to: "greet", branch: "false" },
  ],
  metadata: { owner: "docs" },
} as const;

describe("defineWorkflow", () => {
  it("[W-1.1] gives a plain definition back as the same JSON, to the letter", () => {
    expect(JSON.stringify(defineWorkflow(HAND_WRITTEN))).toBe(JSON.stringify(HAND_WRITTEN));
  });

  it("[W-1.1] gives the same JSON for builders and `next` as for objects and edges", () => {
    const built = defineWorkflow({
      id: "hello",
      name: "Hello",
      entry: "greet",
      nodes: {
        greet: stage.llm({
          prompt: "Greet.",
          model_policy: { provider: "scripted" },
          next: { success: "is_friendly" },
        }),
        is_friendly: condition(
          { contains_text: "!" },
          { context_policy: { include_kinds: ["artifact"] }, next: { true: "keep", false: "greet" } },
        ),
        keep: stage.function({ function: "echo" }),
      },
      metadata: { owner: "docs" },
    });
    expect(JSON.stringify(built)).toBe(JSON.stringify(HAND_WRITTEN));
  });

  it("[W-1.2] draws edges from `next` after those given, in the order of nodes and branches; default has no branch", () => {
    const { edges } = defineWorkflow({
      id: "x",
      entry: "a",
      nodes: {
        a: { mode: "llm", next: { failed: ["c", "b"], default: "b" } },
        b: fork({ next: ["a", "c"] }),
        c: { mode: "llm", next: "a" },
      },
      edges: [{ from: "c", to: "c", branch: "error", label: "again" }],
    });
    expect(edges).toEqual([
      { from: "c", to: "c", branch: "error", label: "again" },
      { from: "a", to: "c", branch: "failed" },
      { from: "a", to: "b", branch: "failed" },
      { from: "a", to: "b" },
      { from: "b", to: "a" },
      { from: "b", to: "c" },
      { from: "c", to: "a" },
    ]);
  });

  it("[W-1.1] leaves out what is not set, keeps null, and never shares what it was given", () => {
    const items = [1, { a: [] }];
    const document = defineWorkflow({
      id: "x",
      entry: "m",
      nodes: { m: { kind: "map", prompt: null, map_policy: { items, output_kind: undefined } } },
    } as never) as { readonly nodes: object };
    expect(JSON.stringify(document)).toBe(
      '{"id":"x","entry":"m","nodes":{"m":{"kind":"map","prompt":null,"map_policy":{"items":[1,{"a":[]}]}}},"edges":[]}',
    );
    items.push(2);
    expect(document.nodes).toEqual({ m: { kind: "map", prompt: null, map_policy: { items: [1, { a: [] }] } } });
  });
});

describe("builders", () => {
  it("[W-6] write kind and mode before the fields", () => {
    const built = [
      stage.llm({ prompt: "p" }),
      stage.agent({ tools: [{ name: "t" }] }),
      stage.http({ http: { url: "https://example.com" } }),
      stage.function({ function: "echo" }),
      stage.external({}),
      verify({ verify: { command: "npm test" } }),
      fork(),
      join({ join_policy: { strategy: "first" } }),
      map({ map_policy: { items: [1] } }),
      reduce({ function: "numbered" }),
      subagent({ prompt: "p" }),
      escalation(),
      condition({ artifact_kind: "k" }),
      sleep({ ms: 5 }),
      wait({ message: "m" }, { next: "a" }),
    ];
    expect(built.map((node) => JSON.stringify(node))).toEqual([
      '{"kind":"stage","mode":"llm","prompt":"p"}',
      '{"kind":"stage","mode":"agent","tools":[{"name":"t"}]}',
      '{"kind":"stage","mode":"http","http":{"url":"https://example.com"}}',
      '{"kind":"stage","mode":"function","function":"echo"}',
      '{"kind":"stage","mode":"external"}',
      '{"kind":"verify","verify":{"command":"npm test"}}',
      '{"kind":"fork"}',
      '{"kind":"join","join_policy":{"strategy":"first"}}',
      '{"kind":"map","map_policy":{"items":[1]}}',
      '{"kind":"reduce","function":"numbered"}',
      '{"kind":"subagent","prompt":"p"}',
      '{"kind":"escalation"}',
      '{"kind":"condition","metadata":{"artifact_kind":"k"}}',
      '{"kind":"stage","mode":"sleep","sleep":{"ms":5}}',
      '{"kind":"stage","mode":"wait","wait":{"message":"m"},"next":"a"}',
    ]);
  });
});
