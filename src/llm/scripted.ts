import * as z from "zod";
import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import type { StageFailure } from "../ports/stage-failure.ts";
import type { StageErrorCategory } from "../schema/error-category.ts";
import { isCostly, PATTERN_RULE } from "./pattern.ts";

/** How much of a prompt a placeholder looks at, in UTF-16 units. */
const MAX_SCANNED = 20_000;

const texts = z.union([z.string(), z.array(z.string())]);
const schema = z.strictObject({
  replies: z.array(
    z.strictObject({
      when: z
        .strictObject({
          prompt_contains: texts.optional(),
          session_contains: texts.optional(),
          attempt: z.int().optional(),
          visit: z.int().optional(),
          turn: z.int().optional(),
        })
        .optional(),
      text: texts.optional(),
      tool_calls: z
        .array(z.strictObject({ name: z.string(), arguments: z.record(z.string(), z.json()).optional() }))
        .optional(),
      status: z.string().optional(),
      error: z.strictObject({ category: z.string(), message: z.string() }).optional(),
    }),
  ),
  default: texts.optional(),
});

type Reply = z.infer<typeof schema>["replies"][number];

/** One call of the scripted model. */
interface ScriptedCall {
  readonly prompt: string;
  /** What was said in the session before. */
  readonly session?: string;
  readonly attempt: number;
  readonly visit: number;
  /** The turn of an agent loop, counted from 1. */
  readonly turn?: number;
  /** Tells whether a script's error category is one of spec/workflow 0.3. */
  readonly isCategory: (name: string) => name is StageErrorCategory;
}

/** What the script says to a call. */
interface ScriptedReply {
  readonly text: string;
  readonly status: string;
  /** The tools it calls; only agent stages look at them. */
  readonly tool_calls?: readonly ScriptedToolCall[];
}

/** A tool call of a script, with its placeholders filled. */
interface ScriptedToolCall {
  readonly name: string;
  readonly arguments: JsonObject;
}

const matches = (when: Reply["when"], call: ScriptedCall): boolean =>
  when === undefined ||
  ((when.attempt === undefined || when.attempt === call.attempt) &&
    (when.visit === undefined || when.visit === call.visit) &&
    (when.turn === undefined || when.turn === (call.turn ?? 1)) &&
    [when.session_contains ?? []].flat().every((part) => (call.session ?? "").includes(part)) &&
    [when.prompt_contains ?? []].flat().every((part) => call.prompt.includes(part)));

/** Replaces each placeholder by what its pattern captures in the prompt; by nothing where it does not match. */
const fill = (template: string, prompt: string): Result<string, StageFailure> => {
  const scanned = prompt.slice(0, MAX_SCANNED);
  let refused: string | undefined;
  const text = template.replaceAll(/\{\{match:(.*?)\}\}(?!\})/gs, (_placeholder, pattern: string) => {
    if (isCostly(pattern)) {
      refused ??= pattern;
      return "";
    }
    const found = new RegExp(pattern, "m").exec(scanned);
    return found?.[1] ?? found?.[0] ?? "";
  });
  if (refused === undefined) return ok(text);
  const message = `script: the pattern "${refused.slice(0, 80)}" is refused: ${PATTERN_RULE}`;
  return err({ category: "schema_validation", message });
};

/** The first line of the task in a prompt as spec/workflow 8.2 lays it out; of the whole prompt where it has no task block. */
const firstTaskLine = (prompt: string): string => {
  const task = /<workflow_task>[^]*?<instructions>([^]*?)<\/instructions>/.exec(prompt)?.[1] ?? prompt;
  const line = task.split("\n").find((candidate) => candidate.trim() !== "");
  return line?.trim() ?? "";
};

const lines = (text: string | readonly string[]): string => [text].flat().join("\n");

/**
 * Answers from a script, without any network and the same for equal calls.
 *
 * The first reply whose `when` holds wins (an absent `when` always holds), then `default`; without either, and without a
 * script, the answer names the task it was given. A `text` of several strings is that many lines.
 */
export const scriptedReply = (script: Json | undefined, call: ScriptedCall): Result<ScriptedReply, StageFailure> => {
  const parsed = schema.safeParse(script ?? { replies: [] });
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const path = ["script", ...(issue?.path ?? [])].join(".");
    return err({ category: "schema_validation", message: `${path}: ${issue?.message ?? "not valid"}` });
  }
  const reply = parsed.data.replies.find((candidate) => matches(candidate.when, call));
  if (reply?.error !== undefined) {
    const { category, message } = reply.error;
    return err({ category: call.isCategory(category) ? category : "generic", message });
  }
  const template = reply === undefined ? parsed.data.default : (reply.text ?? "");
  if (template === undefined) return ok({ text: `Scripted reply to: ${firstTaskLine(call.prompt)}`, status: "done" });
  const text = fill(lines(template), call.prompt);
  if (!text.ok) return text;
  const said = { text: text.value, status: reply?.status ?? "done" };
  if (reply?.tool_calls === undefined) return ok(said);
  const calls: ScriptedToolCall[] = [];
  for (const { name, arguments: given = {} } of reply.tool_calls) {
    const filled = fillJson(given as JsonObject, call.prompt);
    if (!filled.ok) return filled;
    calls.push({ name, arguments: filled.value as JsonObject });
  }
  return ok({ ...said, tool_calls: calls });
};

/** Fills the placeholders in every text of a value. */
const fillJson = (template: Json, prompt: string): Result<Json, StageFailure> => {
  if (typeof template === "string") return fill(template, prompt);
  if (Array.isArray(template)) {
    const items = (template as readonly Json[]).map((item) => fillJson(item, prompt));
    return items.find((item) => !item.ok) ?? ok(items.flatMap((item) => (item.ok ? [item.value] : [])));
  }
  if (!isObject(template)) return ok(template);
  const filled = fillJson(Object.values(template), prompt);
  if (!filled.ok) return filled;
  const values = filled.value as readonly Json[];
  return ok(Object.fromEntries(Object.keys(template).map((key, index) => [key, values[index] ?? null])));
};
