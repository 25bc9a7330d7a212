import { describe, expect, it } from "vitest";
import { buildStagePrompt, renderVerification } from "../../../src/engine/prompt/stage-prompt.ts";
import { redactTranscript } from "../../../src/engine/prompt/visibility.ts";
import type { VerificationContract } from "../../../src/schema/policy.ts";

const contract: VerificationContract = {
  source_node: "v",
  summary: "a <b>",
  command: "npm test",
  expect_status: 0,
  assert_text: "ok",
  expect_text: "done",
  required_identifiers: ["rateLimit"],
  required_paths: ["src/a.ts"],
  required_text: ["x & y"],
  notes: ["n"],
  checks: [
    { kind: "identifier", value: "rateLimit", note: "spelled so" },
    { kind: "path", value: "src/a.ts", note: null },
  ],
};

const empty: VerificationContract = {
  source_node: null,
  summary: null,
  command: null,
  expect_status: null,
  assert_text: null,
  expect_text: null,
  required_identifiers: [],
  required_paths: [],
  required_text: [],
  notes: [],
  checks: [],
};

const bare = { task_label: null, prompt: null };

describe("the stage prompt", () => {
  it("[W-8.2] has task, verification, context and, last, the response contract", () => {
    const { prompt } = buildStagePrompt({ node: bare, task: "T", contracts: [contract], contextText: "C" });
    const blocks = [...prompt.matchAll(/^<(workflow_\w+)>$/gm)].map((match) => match[1]);
    expect(blocks).toEqual([
      "workflow_task",
      "workflow_verification",
      "workflow_context",
      "workflow_response_contract",
    ]);
    expect(prompt.endsWith("</workflow_response_contract>")).toBe(true);
    expect(prompt).toContain("</workflow_task>\n\n<workflow_verification>");
  });

  it("[W-8.2] leaves out blank blocks", () => {
    const built = buildStagePrompt({ node: bare, task: "T", contracts: [], contextText: " \n" });
    expect(built.prompt).not.toContain("<workflow_verification>");
    expect(built.prompt).not.toContain("<workflow_context>");
    expect(built).toMatchObject({ verification: "", context: " \n" });
  });

  it("[W-8.2] the label is escaped and defaults to Task; the task is trimmed and not escaped", () => {
    const labelled = buildStagePrompt({
      node: { task_label: " A<B ", prompt: null },
      task: " if a < b \n",
      contracts: [],
      contextText: "",
    });
    expect(labelled.prompt).toContain(
      "<workflow_task>\n<label>A&lt;B</label>\n<instructions>\nif a < b\n</instructions>\n</workflow_task>",
    );
    const unnamed = buildStagePrompt({
      node: { task_label: " ", prompt: null },
      task: "",
      contracts: [],
      contextText: "",
    });
    expect(unnamed.prompt).toContain("<label>Task</label>");
  });

  it("[W-8.2] the node's own prompt stands in the task block, after the run's task", () => {
    const node = { task_label: null, prompt: " Only list files. " };
    const { prompt } = buildStagePrompt({ node, task: "T", contracts: [], contextText: "C" });
    expect(prompt).toContain(
      "</instructions>\n<stage_instructions>\nOnly list files.\n</stage_instructions>\n</workflow_task>",
    );
  });

  it("[W-8.3] a contract shows its fields in order, escaped", () => {
    const text = renderVerification([contract]);
    expect(text.slice(text.indexOf("<contract>"))).toBe(
      [
        "<contract>",
        "<source_node>v</source_node>",
        "<summary>a &lt;b&gt;</summary>",
        "<command>npm test</command>",
        "<expect_status>0</expect_status>",
        "<assert_text>ok</assert_text>",
        "<expect_text>done</expect_text>",
        "<required_identifiers>",
        "- rateLimit",
        "</required_identifiers>",
        "<required_paths>",
        "- src/a.ts",
        "</required_paths>",
        "<required_text>",
        "- x &amp; y",
        "</required_text>",
        "<checks>",
        "- identifier: rateLimit (spelled so)",
        "- path: src/a.ts",
        "</checks>",
        "<notes>",
        "- n",
        "</notes>",
        "</contract>",
      ].join("\n"),
    );
    expect(renderVerification([empty])).toContain("<contract>\n</contract>");
  });
});

describe("output visibility", () => {
  const transcript = {
    id: "t",
    messages: [{ role: "user" }, { role: "tool_result" }, { role: "assistant" }],
    events: [
      { id: 1 },
      { id: 2, visibility: "public" },
      { id: 3, visibility: "internal" },
      { id: 4, visibility: null },
    ],
  };

  it.each(["public", "public_only"])("[W-14.6] %s drops tool results and events that are not public", (visibility) => {
    expect(redactTranscript(transcript, visibility)).toEqual({
      id: "t",
      messages: [{ role: "user" }, { role: "assistant" }],
      events: [{ id: 1 }, { id: 2, visibility: "public" }, { id: 4, visibility: null }],
    });
  });

  it.each([null, "private", ""])("[W-14.6] %j changes nothing", (visibility) => {
    expect(redactTranscript(transcript, visibility)).toBe(transcript);
  });

  it("[W-14.6] what is no transcript is left alone", () => {
    expect(redactTranscript(null, "public")).toBeNull();
    expect(redactTranscript({ id: "x" }, "public")).toEqual({ id: "x" });
  });
});
