import * as z from "zod";
import type { ToolHook } from "../engine/policy/tool-hooks.ts";
import type { Result } from "../lib/result.ts";
import { decodeDocument, type DecodeError } from "./decode.ts";

// They run around every call.
const MAX_HOOKS = 100;

const named = z.string().min(1);

const preSchema = z.discriminatedUnion("action", [
  z.object({ action: z.literal("allow") }),
  z.object({ action: z.literal("deny"), reason: z.string() }),
  z.object({ action: z.literal("modify"), args: z.json() }),
]);

/** The hooks around the tool calls of an agent, in the order in which they run (spec/workflow 17.1). */
export const toolHooksSchema = z
  .array(
    z.object({
      pattern: z.string().default("*"),
      deny: z.string().exactOptional(),
      max_output: z.int().nonnegative().exactOptional(),
      pre: z.union([named, preSchema]).exactOptional(),
      post: z.union([named, z.object({ when_contains: z.string(), replace_with: z.string() })]).exactOptional(),
    }),
  )
  .max(MAX_HOOKS)
  .readonly();

/** Decodes the tool hooks of a document (spec/workflow 17.1); errors carry the path of each bad field. */
export const decodeToolHooks = (value: unknown): Result<readonly ToolHook[], DecodeError> =>
  decodeDocument(toolHooksSchema, "tool hooks", value);
