import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { err, ok, type Result } from "../lib/result.ts";
import type { StageFailure } from "../ports/stage-failure.ts";
import type { ModelRequest, OpenModel } from "./model.ts";

/** A model behind any endpoint that speaks OpenAI's chat completions, such as a gateway or a local server. */
export const openOpenAICompatible = ({ env, fetcher, model }: ModelRequest): Result<OpenModel, StageFailure> => {
  const baseURL = env.GODWIT_MODEL_URL;
  if (!baseURL || !URL.canParse(baseURL)) {
    const message =
      "the provider openai-compatible needs GODWIT_MODEL_URL, the base URL of the endpoint (often ending in /v1)";
    return err({ category: "auth", message });
  }
  if (model === undefined) {
    const message = "the provider openai-compatible has no default model: set GODWIT_MODEL or model_policy.model";
    return err({ category: "generic", message });
  }
  const apiKey = env.GODWIT_MODEL_API_KEY;
  const provider = createOpenAICompatible({
    name: "openai-compatible",
    baseURL,
    fetch: fetcher,
    ...(apiKey ? { apiKey } : {}),
  });
  return ok({ model, language_model: provider.chatModel(model) });
};
