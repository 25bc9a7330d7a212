import { describe, expect, it } from "vitest";
import {
  estimateTokens,
  isToolAnswer,
  isToolCall,
  textOf,
  visibilityOf,
} from "../../../src/engine/transcript/message.ts";
import { extraEvent, makeAsset, makeTranscript } from "../../../src/engine/transcript/transcript.ts";
import { transcriptValueSchema } from "../../../src/schema/transcript.ts";

describe("the transcript value", () => {
  it("[W-14.1] its events mirror the messages and are followed by the extra ones", () => {
    const transcript = makeTranscript({
      id: "t",
      messages: [
        { role: "user", content: "hi" },
        { role: "tool_result", content: "42" },
      ],
      extra_events: [extraEvent("compaction", { id: "c", text: "short", metadata: { mode: "manual" } })],
      assets: [makeAsset({ id: "a" })],
      summary: "S",
      metadata: { parent_session_id: "p" },
      state: "active",
    });
    expect(transcript.events.map(({ id, kind, role, visibility, text }) => [id, kind, role, visibility, text])).toEqual(
      [
        ["t:message:0", "message", "user", "public", "hi"],
        ["t:message:1", "tool_result", "tool_result", "internal", "42"],
        ["c", "compaction", "system", "internal", "short"],
      ],
    );
    expect(transcript).toMatchObject({ _type: "transcript", version: 2, summary: "S", state: "active" });
    expect(transcript.assets).toEqual([{ _type: "transcript_asset", id: "a", kind: "blob", visibility: "internal" }]);
    expect(transcriptValueSchema.parse(transcript)).toEqual(transcript);
  });

  it("[W-14.1] what is not set is not there", () => {
    expect(makeTranscript({ id: "t" })).toEqual({
      _type: "transcript",
      version: 2,
      id: "t",
      messages: [],
      events: [],
      assets: [],
    });
  });

  it("[W-14.1] blocks become one line: reasoning is left out, tools and files are named", () => {
    const content = [
      { type: "text", text: "a" },
      { type: "output_text", text: "b" },
      { type: "reasoning", text: "secret" },
      { type: "tool_call", name: "read" },
      { type: "tool_result", name: "read" },
      { type: "image", title: "plot" },
      { type: "file", path: "x.ts" },
      { type: "document" },
      { type: "attachment", id: "7" },
    ];
    expect(textOf({ role: "assistant", content })).toBe(
      "a b <tool_call:read> <tool_result:read> <image:plot> <file:x.ts> <document:document> <attachment:7>",
    );
  });

  it.each([
    ["public", [{ visibility: "private" }, { visibility: "public" }]],
    ["internal", [{ visibility: "private" }, { visibility: "internal" }]],
    ["public", [{ visibility: "private" }]],
  ])("[W-14.1] the visibility %s comes from the most open block", (expected, content) => {
    expect(visibilityOf({ role: "assistant", content })).toBe(expected);
  });

  it("[W-14.1] tool answers are internal", () => {
    expect(["tool_result", "tool", "user", "system"].map((role) => visibilityOf({ role, content: [] }))).toEqual([
      "internal",
      "internal",
      "public",
      "public",
    ]);
  });

  it("[W-14.4] tokens are a quarter of the bytes of all texts", () => {
    expect(estimateTokens([{ role: "user", content: "é".repeat(6) }])).toBe(3);
    expect(
      estimateTokens([
        { role: "user", content: [{ type: "text", text: "abcd" }] },
        { role: "assistant", content: "", tool_calls: [{ id: "1234", arguments: { path: "12345678" } }] },
      ]),
    ).toBe(4);
  });

  it("[W-14.4] knows calls and answers in all their forms", () => {
    expect(isToolCall({ role: "assistant", content: "", tool_calls: [{}] })).toBe(true);
    expect(isToolCall({ role: "assistant", content: [{ type: "tool_use" }], tool_calls: [] })).toBe(true);
    expect(isToolCall({ role: "user", content: "", tool_calls: [{}] })).toBe(false);
    expect(isToolAnswer({ role: "user", content: [{ type: "tool_result" }] })).toBe(true);
    expect(isToolAnswer({ role: "assistant", content: [{ type: "tool_result" }] })).toBe(false);
  });
});
