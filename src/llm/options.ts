import * as z from "zod";
import type { JsonObject } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import type { StageFailure } from "../ports/stage-failure.ts";

const LEVELS = ["none", "minimal", "low", "medium", "high", "xhigh"] as const;

/** How much a model may reason before it answers. */
type ReasoningLevel = (typeof LEVELS)[number];

const schema = z.object({
  provider: z.string().optional(),
  model: z.string().optional(),
  temperature: z.number().optional(),
  max_tokens: z.int().positive().optional(),
  top_p: z.number().optional(),
  top_k: z.number().optional(),
  seed: z.int().optional(),
  stop: z.union([z.string(), z.array(z.string())]).optional(),
  reasoning_effort: z.enum(LEVELS).optional(),
  thinking: z.union([z.boolean(), z.enum(LEVELS), z.looseObject({ enabled: z.boolean().optional() })]).optional(),
});

/** The settings of one model call, of `llm_options` of the plan (spec/workflow 1.4, 4.5). */
export interface ModelOptions {
  readonly provider?: string;
  readonly model?: string;
  /** What goes to the model besides prompt and system text, under the SDK's names. */
  readonly settings: {
    readonly temperature?: number;
    readonly maxOutputTokens?: number;
    readonly topP?: number;
    readonly topK?: number;
    readonly seed?: number;
    readonly stopSequences?: string[];
    readonly reasoning?: ReasoningLevel;
  };
}

/** Reads the settings; keys that are not settings of a call are ignored, a setting of the wrong type is refused by its path. */
export const readModelOptions = (options: JsonObject | undefined): Result<ModelOptions, StageFailure> => {
  // Null and an empty text are "not set": run options and normalised nodes carry unset settings so (spec/workflow 0.1, 0.2).
  const set = Object.entries(options ?? {}).filter(([, value]) => value !== null && value !== "");
  const parsed = schema.safeParse(Object.fromEntries(set));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const path = issue === undefined ? "" : issue.path.join(".");
    return err({ category: "schema_validation", message: `llm_options.${path}: ${issue?.message ?? "not valid"}` });
  }
  const given = parsed.data;
  const reasoning = given.reasoning_effort ?? levelOf(given.thinking);
  return ok({
    ...(given.provider === undefined ? {} : { provider: given.provider }),
    ...(given.model === undefined ? {} : { model: given.model }),
    settings: {
      ...(given.temperature === undefined ? {} : { temperature: given.temperature }),
      ...(given.max_tokens === undefined ? {} : { maxOutputTokens: given.max_tokens }),
      ...(given.top_p === undefined ? {} : { topP: given.top_p }),
      ...(given.top_k === undefined ? {} : { topK: given.top_k }),
      ...(given.seed === undefined ? {} : { seed: given.seed }),
      ...(given.stop === undefined ? {} : { stopSequences: [given.stop].flat() }),
      ...(reasoning === undefined ? {} : { reasoning }),
    },
  });
};

const levelOf = (thinking: z.infer<typeof schema>["thinking"]): ReasoningLevel | undefined => {
  if (thinking === undefined) return undefined;
  if (typeof thinking === "string") return thinking;
  const enabled = typeof thinking === "boolean" ? thinking : (thinking.enabled ?? true);
  return enabled ? "medium" : "none";
};
