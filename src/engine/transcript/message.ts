import { byteLength, isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { Visibility } from "../../schema/transcript.ts";

/** A message of a conversation: `{role, content, ...}` (spec/workflow 14.1). */
export type Message = JsonObject;

/** The role of a message; empty when it has none. */
export const roleOf = (message: Message): string => (typeof message["role"] === "string" ? message["role"] : "");

/** True for a role that carries what a tool answered. */
export const isToolRole = (role: string): boolean => role === "tool_result" || role === "tool";

/** What a message of this role shows unless its blocks say otherwise (spec/workflow 14.1). */
export const defaultVisibility = (role: string): Visibility => (isToolRole(role) ? "internal" : "public");

/** The blocks of a message; a text is one block (spec/workflow 14.1). */
export const blocksOf = (message: Message): readonly JsonObject[] => {
  const { content } = message;
  if (typeof content === "string") {
    return content === "" ? [] : [{ type: "text", text: content, visibility: defaultVisibility(roleOf(message)) }];
  }
  return Array.isArray(content) ? (content as readonly Json[]).filter(isObject) : [];
};

const firstText = (block: JsonObject, keys: readonly string[], otherwise: string): string => {
  for (const key of keys) {
    const value = block[key];
    if (typeof value === "string" && value !== "") return value;
  }
  return otherwise;
};

const LABELS = ["label", "name", "title", "filename", "path", "uri", "url", "id"] as const;

const textOfBlock = (block: JsonObject): string => {
  // Model libraries write the same kinds with hyphens.
  const type = typeof block["type"] === "string" ? block["type"].replaceAll("-", "_") : "";
  switch (type) {
    case "text":
    case "output_text":
      return firstText(block, ["text"], "");
    case "tool_call":
    case "tool_use":
    case "tool_result":
      return `<${type}:${firstText(block, ["name", "tool_name", "toolName"], "tool")}>`;
    case "image":
    case "file":
    case "document":
    case "attachment":
      return `<${type}:${firstText(block, LABELS, type)}>`;
    default:
      return "";
  }
};

/** Blocks as one line of text (spec/workflow 14.1): reasoning is left out, tools and files are named. */
export const textOfBlocks = (blocks: readonly JsonObject[]): string =>
  blocks
    .map(textOfBlock)
    .filter((text) => text !== "")
    .join(" ");

/** The text of a message, whatever its content is made of. */
export const textOf = (message: Message): string =>
  typeof message["content"] === "string" ? message["content"] : textOfBlocks(blocksOf(message));

/** Who may see a message: the most open of its blocks, or what its role says (spec/workflow 14.1). */
export const visibilityOf = (message: Message): Visibility => {
  const blocks = blocksOf(message).map((block) => block["visibility"]);
  if (blocks.includes("public")) return "public";
  return blocks.includes("internal") ? "internal" : defaultVisibility(roleOf(message));
};

const hasBlock = (message: Message, types: readonly string[]): boolean =>
  blocksOf(message).some(({ type }) => typeof type === "string" && types.includes(type.replaceAll("-", "_")));

const isFilled = (value: Json | undefined): boolean =>
  Array.isArray(value) ? value.length > 0 : typeof value === "string" && value !== "";

/** True for what a tool answered: as a message of its own, or as a block of a user message. */
export const isToolAnswer = (message: Message): boolean =>
  isToolRole(roleOf(message)) || (roleOf(message) === "user" && hasBlock(message, ["tool_result"]));

/** True for a message that asks for tools. */
export const isToolCall = (message: Message): boolean =>
  roleOf(message) === "assistant" && (isFilled(message["tool_calls"]) || hasBlock(message, ["tool_call", "tool_use"]));

/** True for a message of a person, where a kept part of a conversation may begin (spec/workflow 14.4). */
export const isUserTurn = (message: Message): boolean => roleOf(message) === "user" && !isToolAnswer(message);

/** What is no text for a model: the tag of a block and the bytes of an image or a file. */
const NO_TEXT: readonly string[] = ["type", "data", "image"];

const stringBytes = (value: Json | undefined): number => {
  if (typeof value === "string") return byteLength(value);
  if (Array.isArray(value)) return (value as readonly Json[]).reduce<number>((sum, item) => sum + stringBytes(item), 0);
  if (!isObject(value)) return 0;
  return Object.entries(value).reduce((sum, [key, item]) => sum + (NO_TEXT.includes(key) ? 0 : stringBytes(item)), 0);
};

/** The bytes a message counts with: its texts, also those within blocks and tool calls (spec/workflow 14.4). */
export const messageBytes = (message: Message): number =>
  stringBytes(message["content"]) + stringBytes(message["tool_calls"]);

const BYTES_PER_TOKEN = 4;

/** Estimated tokens of so many bytes (spec/workflow 14.4). */
export const tokensOfBytes = (bytes: number): number => Math.floor(bytes / BYTES_PER_TOKEN);

/** Estimated tokens of messages: a quarter of the bytes of their texts (spec/workflow 14.4). */
export const estimateTokens = (messages: readonly Message[]): number =>
  tokensOfBytes(messages.reduce((sum, message) => sum + messageBytes(message), 0));

/** What a tool answered to a call, as a conversation keeps it. */
export const toolResultMessage = (
  call: { readonly id: string; readonly name: string },
  content: string,
  extra: JsonObject,
): Message => ({ role: "tool_result", tool_call_id: call.id, tool_name: call.name, content, ...extra });
