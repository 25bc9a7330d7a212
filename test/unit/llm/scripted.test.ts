import { describe, expect, test } from "vitest";
import { isErrorCategory } from "../../../src/executor/failure.ts";
import type { Json } from "../../../src/lib/json.ts";
import { scriptedReply } from "../../../src/llm/scripted.ts";

const prompt = "Issue #42: The save button does nothing\nAuthor: ada\nLabels: bug, ui";
const reply = (
  script: Json | undefined,
  call: { prompt?: string; attempt?: number; visit?: number; turn?: number } = {},
) => scriptedReply(script, { prompt, attempt: 1, visit: 1, isCategory: isErrorCategory, ...call });
const failing = (category: string) => reply({ replies: [{ error: { category, message: "m" } }] });
const filled = (text: string, given = prompt) => reply({ replies: [{ text }] }, { prompt: given });
const said = (text: string, status = "done") => ({ ok: true, value: { text, status } });

describe("which reply", () => {
  const script = {
    replies: [
      { when: { prompt_contains: ["button", "nowhere"] }, text: "both" },
      { when: { prompt_contains: "button", visit: 2 }, text: "again" },
      { when: { prompt_contains: ["button", "ada"], attempt: 1, visit: 1 }, text: ["first", "line"] },
      { when: { attempt: 2 }, text: "retried", status: "completed" },
    ],
    default: "default",
  };

  test("the first whose conditions all hold, several texts are lines", () => {
    expect(reply(script)).toEqual(said("first\nline"));
    expect(reply(script, { visit: 2 })).toEqual(said("again"));
    expect(reply(script, { attempt: 2 })).toEqual(said("retried", "completed"));
    expect(reply(script, { attempt: 3 })).toEqual(said("default"));
  });

  test("a reply without conditions always holds", () => {
    expect(reply({ replies: [{ text: "a" }, { text: "b" }] })).toEqual(said("a"));
  });

  test("an error of a script keeps a known category and makes an unknown one generic", () => {
    expect(failing("timeout")).toEqual({ ok: false, error: { category: "timeout", message: "m" } });
    expect(failing("weird")).toEqual({ ok: false, error: { category: "generic", message: "m" } });
  });

  test("[W-8.2] the reply of last resort names the first line of the task, or of a prompt without task block", () => {
    const task = "<workflow_task>\n<instructions>\n\n  Fix it  \nnow\n</instructions>\n</workflow_task>\n<a>b</a>";
    expect(reply(undefined, { prompt: task })).toEqual(said("Scripted reply to: Fix it"));
    expect(reply({ replies: [] })).toEqual(said("Scripted reply to: Issue #42: The save button does nothing"));
    expect(reply(undefined, { prompt: "" })).toEqual(said("Scripted reply to: "));
  });

  test.each([
    ["a text", "script: "],
    [{ replies: [{ txt: "typo" }] }, "script.replies.0: "],
    [{ replies: [{ when: { visit: "2" } }] }, "script.replies.0.when.visit: "],
  ])("the script %j is refused by its path", (script, start) => {
    const refused = reply(script);
    expect(refused).toMatchObject({ ok: false, error: { category: "schema_validation" } });
    expect(refused.ok ? "" : refused.error.message).toContain(start);
  });
});

describe("tool calls of a script", () => {
  const script = {
    replies: [
      {
        when: { turn: 1 },
        text: "Looking.",
        tool_calls: [{ name: "find", arguments: { number: "{{match:#(\\d+)}}", deep: ["{{match:ada}}", 1] } }],
      },
      { when: { turn: 2 }, text: "Over." },
    ],
  };

  test("belong to their turn, with the placeholders of their arguments filled", () => {
    const calls = [{ name: "find", arguments: { number: "42", deep: ["ada", 1] } }];
    expect(reply(script, { turn: 1 })).toEqual({
      ok: true,
      value: { text: "Looking.", status: "done", tool_calls: calls },
    });
    expect(reply(script, { turn: 2 })).toEqual(said("Over."));
    expect(reply(script)).toMatchObject({ value: { text: "Looking." } });
  });

  test("with a costly pattern are refused", () => {
    const costly = { replies: [{ tool_calls: [{ name: "a", arguments: { b: ["{{match:(a+)+}}"] } }] }] };
    expect(reply(costly)).toMatchObject({ ok: false, error: { category: "schema_validation" } });
  });
});

describe("placeholders", () => {
  test.each([
    ["issue {{match:#(\\d+)}} by {{match:^Author: (.+)$}}", "issue 42 by ada"],
    ["whole {{match:#\\d+}}", "whole #42"],
    ["none {{match:nothing(.)}}!", "none !"],
    ["braces {{match:#(\\d{2})}}", "braces 42"],
    ["braces {{match:#\\d{2}}}", "braces #42"],
    ["class {{match:Labels: ([(+)a-z, ]+)}}", "class bug, ui"],
  ])("%s becomes %s", (text, result) => {
    expect(filled(text)).toEqual(said(result));
  });

  test("what the prompt says is put in as it is", () => {
    expect(filled("{{match:say (.+)}}", "say $& {{match:x}}")).toEqual(said("$& {{match:x}}"));
  });

  test("only the first 20,000 characters of a prompt are looked at", () => {
    expect(filled("{{match:(z)}}", `${"x".repeat(19_999)}z`)).toEqual(said("z"));
    expect(filled("{{match:(z)}}", `${"x".repeat(20_000)}z`)).toEqual(said(""));
  });

  test.each(["(a+)+$", "((a+))+$", "(a|a)*$", "(?:a*b?){5}", "([a-z]+,?){2,}x", "(a)\\1", "a*b*c*d*", "x".repeat(201)])(
    "the pattern %s is refused as too costly",
    (pattern) => {
      expect(filled(`{{match:${pattern}}}`)).toMatchObject({ ok: false, error: { category: "schema_validation" } });
    },
  );

  test.each(["(a+)", "(?:a|b)c", "(a)+", "[(a+)+]+", "\\(a+\\)+", "(a{2}b)?", "x{2,3}", "x".repeat(200)])(
    "the pattern %s is taken",
    (pattern) => {
      expect(filled(`{{match:${pattern}}}`).ok).toBe(true);
    },
  );
});
