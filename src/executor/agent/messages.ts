import type { ModelMessage, ToolModelMessage } from "ai";
import { blocksOf, isToolRole, roleOf } from "../../engine/transcript/message.ts";
import { isObject, type Json, type JsonObject } from "../../lib/json.ts";

/** A tool call as a model asked for it. */
export interface AskedCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: JsonObject;
  /** What the model wrote instead of arguments, when they cannot be read. */
  readonly invalid?: string;
}

type AssistantParts = Exclude<Extract<ModelMessage, { role: "assistant" }>["content"], string>;

const textAt = (source: JsonObject, key: string): string => {
  const value = source[key];
  return typeof value === "string" ? value : "";
};

/** The visible text of a message (spec/workflow 14.1). */
export const textOf = (message: JsonObject): string =>
  blocksOf(message)
    .filter(({ type }) => type === "text" || type === "output_text")
    .map((block) => textAt(block, "text"))
    .join("");

/** What a model thought for itself in a message. */
export const reasoningText = (message: JsonObject): string =>
  blocksOf(message)
    .filter(({ type }) => type === "reasoning")
    .map((block) => textAt(block, "text"))
    .join("\n");

/** The tool calls of an assistant's message, in order. */
export const callsOf = (message: JsonObject): readonly AskedCall[] =>
  blocksOf(message)
    .filter(({ type }) => type === "tool_call")
    .map((block) => ({
      id: textAt(block, "id"),
      name: textAt(block, "name"),
      arguments: isObject(block["arguments"]) ? block["arguments"] : {},
      ...(typeof block["invalid"] === "string" ? { invalid: block["invalid"] } : {}),
    }));

/** True for a message that answers a tool call. */
export const isToolResult = (message: JsonObject): boolean => isToolRole(roleOf(message));

/** The tool call a message answers. */
export const answeredCall = (message: JsonObject): string => textAt(message, "tool_call_id");

/** What an assistant said, as the session keeps it: a text where it is nothing else. */
export const assistantMessage = (blocks: readonly JsonObject[]): JsonObject => {
  const [first] = blocks;
  const plain = blocks.length === 1 && first?.["type"] === "text" && first["provider_options"] === undefined;
  return { role: "assistant", content: blocks.length === 0 ? "" : plain ? textAt(first, "text") : blocks };
};

const resultText = (message: JsonObject): string => {
  const { content } = message;
  if (typeof content === "string") return content;
  const blocks =
    Array.isArray(content) && (content as readonly Json[]).every((item) => isObject(item) && "type" in item);
  return blocks ? textOf(message) : JSON.stringify(content ?? null);
};

// Providers refuse texts of white space alone.
const isBlank = (text: string): boolean => text.trim() === "";

const optionsOf = (block: JsonObject) =>
  isObject(block["provider_options"]) ? { providerOptions: block["provider_options"] as never } : {};

const partsOf = (message: JsonObject, answers: ReadonlyMap<string, JsonObject>): AssistantParts =>
  blocksOf(message).flatMap((block): AssistantParts => {
    const text = textAt(block, "text");
    if (block["type"] === "reasoning") return [{ type: "reasoning", text, ...optionsOf(block) }];
    if (block["type"] === "text" || block["type"] === "output_text")
      return isBlank(text) ? [] : [{ type: "text", text, ...optionsOf(block) }];
    const id = textAt(block, "id");
    // A call without an answer would be refused by every provider; it can only come from a conversation that was cut.
    if (block["type"] !== "tool_call" || !answers.has(id)) return [];
    return [
      {
        type: "tool-call",
        toolCallId: id,
        toolName: textAt(block, "name"),
        input: block["arguments"],
        ...optionsOf(block),
      },
    ];
  });

const toolMessage = (calls: readonly AskedCall[], answers: ReadonlyMap<string, JsonObject>): ToolModelMessage => ({
  role: "tool",
  content: calls.flatMap(({ id, name }) => {
    const answer = answers.get(id);
    if (answer === undefined) return [];
    const failed = answer["is_error"] === true;
    const output = { type: failed ? ("error-text" as const) : ("text" as const), value: resultText(answer) };
    return [{ type: "tool-result" as const, toolCallId: id, toolName: name, output }];
  }),
});

/** The answers between one assistant's message and the next. */
const answersAfter = (messages: readonly JsonObject[], from: number): ReadonlyMap<string, JsonObject> => {
  const answers = new Map<string, JsonObject>();
  for (let i = from + 1; i < messages.length && messages[i]?.["role"] !== "assistant"; i++) {
    const message = messages[i] as JsonObject;
    if (isToolResult(message)) answers.set(answeredCall(message), message);
  }
  return answers;
};

/** Providers want a user to begin, which the rest of a conversation that was cut may not do. */
const BEGINNING_LOST = "[what was said before is not shown]";

/**
 * A session's messages as a model takes them; answers of tools come right after their calls, whoever spoke in between.
 * Conversations that were cut, trimmed or written by hand are told as far as they make sense.
 */
export const toModelMessages = (messages: readonly JsonObject[]): ModelMessage[] => {
  const told: ModelMessage[] = [];
  const used = new Set<JsonObject>();
  for (const [index, message] of messages.entries()) {
    const { role } = message;
    if (role === "assistant") {
      const answers = answersAfter(messages, index);
      const parts = partsOf(message, answers);
      if (parts.length > 0) told.push({ role: "assistant", content: parts });
      const answered = callsOf(message).filter(({ id }) => answers.has(id));
      if (answered.length > 0) told.push(toolMessage(answered, answers));
      for (const { id } of answered) used.add(answers.get(id) as JsonObject);
    } else if (isToolResult(message)) {
      if (!used.has(message)) told.push({ role: "user", content: `[tool result] ${resultText(message)}` });
    } else if (!isBlank(textOf(message)))
      told.push({ role: "user", content: role === "system" ? `[system] ${textOf(message)}` : textOf(message) });
  }
  return told[0]?.role === "assistant" ? [{ role: "user", content: BEGINNING_LOST }, ...told] : told;
};

const asText = (block: JsonObject): JsonObject =>
  block["type"] !== "tool_call"
    ? block
    : { type: "text", text: `[tool call] ${textAt(block, "name")} ${JSON.stringify(block["arguments"] ?? {})}` };

/** Messages with calls of tools told as text, for a call that offers no tools: some providers refuse calls without them. */
export const withoutToolCalls = (messages: readonly JsonObject[]): readonly JsonObject[] =>
  messages.map((message) =>
    callsOf(message).length === 0 ? message : { ...message, content: blocksOf(message).map(asText) },
  );

/** Everything said as one text, for scripts that look at it. */
export const transcriptOf = (messages: readonly JsonObject[]): string =>
  messages.map((message) => (isToolResult(message) ? resultText(message) : textOf(message))).join("\n");
