import { createOpenAI } from "@ai-sdk/openai";
import { err, ok, type Result } from "../lib/result.ts";
import type { StageFailure } from "../ports/stage-failure.ts";
import type { ModelRequest, OpenModel } from "./model.ts";

// Given explicitly, so that no environment variable of the process redirects calls and keys.
const BASE_URL = "https://api.openai.com/v1";
const DEFAULT_MODEL = "gpt-6-astra";

/** A model of OpenAI, through its Responses API. */
export const openOpenAI = ({ env, fetcher, model }: ModelRequest): Result<OpenModel, StageFailure> => {
  const apiKey = env.OPENAI_API_KEY;
  if (!apiKey) return err({ category: "auth", message: "the provider openai needs the secret OPENAI_API_KEY" });
  const id = model ?? DEFAULT_MODEL;
  const provider = createOpenAI({ apiKey, baseURL: BASE_URL, fetch: fetcher });
  // The run keeps the record; without this OpenAI would store prompts and answers as well.
  return ok({
    model: id,
    language_model: provider.responses(id),
    // Strict schemas are a dialect of their own; what comes back is validated here.
    provider_options: { openai: { store: false, strictJsonSchema: false } },
  });
};
