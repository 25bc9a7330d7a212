import { createAnthropic } from "@ai-sdk/anthropic";
import { err, ok, type Result } from "../lib/result.ts";
import type { StageFailure } from "../ports/stage-failure.ts";
import type { ModelRequest, OpenModel } from "./model.ts";

// Given explicitly, so that no environment variable of the process redirects calls and keys.
const BASE_URL = "https://api.anthropic.com/v1";
const DEFAULT_MODEL = "claude-sonnet-5-5";

/** A model of Anthropic, through its Messages API. */
export const openAnthropic = ({ env, fetcher, model }: ModelRequest): Result<OpenModel, StageFailure> => {
  const apiKey = env.ANTHROPIC_API_KEY;
  if (!apiKey) return err({ category: "auth", message: "the provider anthropic needs the secret ANTHROPIC_API_KEY" });
  const id = model ?? DEFAULT_MODEL;
  return ok({ model: id, language_model: createAnthropic({ apiKey, baseURL: BASE_URL, fetch: fetcher })(id) });
};
