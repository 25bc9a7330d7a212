import { describe, expect, it } from "vitest";
import type { Json, JsonObject } from "../../../src/lib/json.ts";
import { normalizeArtifact } from "../../../src/engine/artifact/normalize.ts";
import { decodeAssembler } from "../../../src/engine/prompt/assembler-options.ts";
import { momentOf, relevanceOf, termsOf } from "../../../src/engine/prompt/assembler-order.ts";
import { assembleContext, stageContext } from "../../../src/engine/prompt/context-assembler.ts";
import type { ArtifactRecord } from "../../../src/schema/artifact.ts";
import { accepted, createRun, must, runFixture } from "../../support/run-fixture.ts";

const artifact = (id: string, text: string | null, more: Partial<ArtifactRecord> = {}): ArtifactRecord =>
  normalizeArtifact({ id, kind: "note", text, ...more }, { now: 0, nextId: (prefix) => prefix });

const assemble = (artifacts: readonly ArtifactRecord[], options: JsonObject, task = "") =>
  assembleContext(artifacts, must(decodeAssembler(options)), task);

const places = (artifacts: readonly ArtifactRecord[], options: JsonObject, task = ""): string[] =>
  assemble(artifacts, options, task).chunks.map((chunk) => `${chunk.artifact.id}/${chunk.index}`);

const numbered = (word: string) => [1, 2, 3].map((index) => `${word} ${index}`).join("\n\n");

const graph = (assembler: Json) => ({
  entry: "a",
  nodes: { a: { kind: "stage", mode: "llm", context_assembler: assembler } },
  edges: [],
});

describe("the options of the context assembler", () => {
  it("[W-17.3] has the defaults of the specification", () => {
    expect(must(decodeAssembler(true))).toEqual({
      budget_tokens: 8_000,
      dedup: "chunked",
      strategy: "relevance",
      query: null,
      microcompact_threshold: 2_000,
      semantic_overlap: 0.85,
    });
  });

  it.each<[Json, string]>([
    ["x", "options must be a dict, got string"],
    [[], "options must be a dict, got list"],
    [{ strategy: "x" }, "unknown strategy 'x' (expected 'recency', 'relevance', or 'round_robin')"],
    [{ dedup: 1 }, "unknown dedup '1' (expected 'none', 'chunked', or 'semantic')"],
    [{ budget_tokens: -1 }, "budget_tokens must be >= 0"],
    [{ microcompact_threshold: 0 }, "microcompact_threshold must be > 0"],
    [{ semantic_overlap: 1.5 }, "semantic_overlap must be between 0 and 1"],
    [{ query: 1 }, "query must be a string"],
    [{ ranker_callback: "f" }, "ranker_callback is not supported; leave it out to rank by the words of the query"],
  ])("[W-17.3] refuses %j", (options, text) => {
    expect(decodeAssembler(options)).toEqual({ ok: false, error: `assemble_context: ${text}` });
  });
});

describe("assembling a context", () => {
  it("[W-17.3] says which artifacts have no text", () => {
    const { dropped, text } = assemble([artifact("a", null), artifact("b", " \n")], {});
    expect(dropped).toEqual([
      { artifact_id: "a", chunk_index: null, reason: "no_text" },
      { artifact_id: "b", chunk_index: null, reason: "empty_text" },
    ]);
    expect(text).toBe("");
  });

  it("[W-17.3] renders chunks and the budget", () => {
    const { text } = assemble([artifact("a<", "abc", { title: "T & U" })], { budget_tokens: 9 });
    expect(text).toBe(
      [
        "<artifact>",
        "<title>T &amp; U</title>",
        "<kind>note</kind>",
        "<source>unknown</source>",
        "<chunk_id>a&lt;#ba7816bf8f01cfea</chunk_id>",
        "<chunk_index>1 of 1</chunk_index>",
        "<body>",
        "abc",
        "</body>",
        "</artifact>",
        "",
        "<context_budget>",
        "<used_tokens>1</used_tokens>",
        "<budget_tokens>9</budget_tokens>",
        "<strategy>relevance</strategy>",
        "<dedup>chunked</dedup>",
        "</context_budget>",
      ].join("\n"),
    );
  });

  it("[W-17.3] splits what is too large at paragraphs, then lines, then characters", () => {
    const text = `one two\n\nthree\nfour five\n${"x".repeat(20)}`;
    const { chunks } = assemble([artifact("a", text)], { microcompact_threshold: 3, dedup: "none" });
    expect(chunks.map((chunk) => chunk.text)).toEqual([
      "one two\n\n",
      "three\n",
      "four five\n",
      "x".repeat(12),
      "x".repeat(8),
    ]);
    expect(chunks.every(({ count }) => count === 5)).toBe(true);
  });

  it("[W-17.3] drops repetitions: by their words, or by their similarity", () => {
    const list = [
      artifact("a", "the cat sat  on the mat"),
      artifact("b", "the cat sat on\nthe mat"),
      artifact("c", "the cat sat on the mats"),
    ];
    expect(places(list, { dedup: "none" })).toEqual(["a/0", "b/0", "c/0"]);
    expect(places(list, { dedup: "chunked" })).toEqual(["a/0", "c/0"]);
    expect(places(list, { dedup: "semantic" })).toEqual(["a/0"]);
    expect(places(list, { dedup: "semantic", semantic_overlap: 0.99 })).toEqual(["a/0", "c/0"]);
    expect(assemble(list, {}).dropped).toEqual([{ artifact_id: "b", chunk_index: 0, reason: "duplicate" }]);
  });

  it("[W-17.3] relevance puts first what answers the query, or the task", () => {
    const list = [
      artifact("a", "nothing here"),
      artifact("b", "the parser fails"),
      artifact("c", "parser errors: fix it"),
    ];
    expect(places(list, { query: "Fix parser errors!" })).toEqual(["c/0", "b/0", "a/0"]);
    expect(places(list, {}, "parser fails")).toEqual(["b/0", "c/0", "a/0"]);
    expect(termsOf("Fix it, FIX the parser-bug")).toEqual(["fix", "the", "parser", "bug"]);
    expect(relevanceOf("abc", ["abc", "xyz"])).toBeCloseTo(0.7 * 0.5 + 0.3 * (1 / (3 / 400 + 1)));
    expect(relevanceOf("abc", [])).toBe(0);
  });

  it("[W-17.3] recency is by time, whatever form the time has", () => {
    const list = [
      artifact("old", "1", { created_at: "999999999" }),
      artifact("uuid", "2", { created_at: "0198c6a0-0000-7000-8000-000000000000" }),
      artifact("new", "3", { created_at: "2030-01-01T00:00:00Z" }),
      artifact("none", "4", { created_at: "?" }),
    ];
    expect(places(list, { strategy: "recency" })).toEqual(["new/0", "uuid/0", "old/0", "none/0"]);
    expect(momentOf("1000000000")).toBe(1_000_000_000_000);
  });

  it("[W-17.3] round_robin takes turns in the order given", () => {
    const list = [artifact("b", numbered("beta")), artifact("a", numbered("alfa"))];
    const options = { strategy: "round_robin", microcompact_threshold: 2 };
    expect(places(list, options)).toEqual(["b/0", "a/0", "b/1", "a/1", "b/2", "a/2"]);
  });

  it("[W-17.3] passes over what does not fit and goes on", () => {
    const list = [artifact("a", "x".repeat(400)), artifact("b", "short")];
    const { chunks, dropped, used_tokens: used } = assemble(list, { budget_tokens: 10 });
    expect([chunks.map((chunk) => chunk.artifact.id), used]).toEqual([["b"], 2]);
    expect(dropped).toEqual([{ artifact_id: "a", chunk_index: 0, reason: "budget_exceeded" }]);
  });
});

describe("the context of a stage", () => {
  const policy = { render: null } as never;

  it("[W-8.1] is assembled where the node says so, else rendered as it is", () => {
    const list = [artifact("a", "abc")];
    for (const unset of [undefined, null, false]) {
      const node =
        unset === undefined ? { context_policy: policy } : { context_policy: policy, context_assembler: unset };
      expect(must(stageContext(node, list, ""))).toContain("<priority>");
    }
    const assembled = must(stageContext({ context_policy: policy, context_assembler: {} }, list, ""));
    expect(assembled).toContain("<context_budget>");
    expect(stageContext({ context_policy: policy, context_assembler: "x" }, list, "")).toMatchObject({ ok: false });
  });

  it("[W-8.1] stands in the prompt of a run's stage; what is consumed is the selection", () => {
    const artifacts = [
      { id: "x", kind: "note", text: "abc" },
      { id: "y", kind: "note", text: "  " },
    ];
    const start = (assembler: Json) => {
      const { shell } = runFixture();
      const reply = accepted(shell, createRun(graph(assembler), { artifacts, start: true }));
      if (reply.type !== "created") throw new Error(reply.type);
      return { plan: reply.advance?.next, prepared: shell.state?.open[0] };
    };
    const { plan, prepared } = start({ budget_tokens: 50 });
    expect(plan?.prompt).toContain("<workflow_context>\n<artifact>");
    expect(plan?.prompt).toContain("<budget_tokens>50</budget_tokens>");
    expect(prepared?.selected_artifact_ids).toEqual(["x", "y"]);
    expect(start({ budget_tokens: -1 }).plan ?? null).toBeNull();
  });
});
