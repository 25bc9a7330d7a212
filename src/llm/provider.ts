import { err, ok, type Result } from "../lib/result.ts";
import type { ModelEnv } from "../ports/model-env.ts";
import type { StageFailure } from "../ports/stage-failure.ts";
import { openAnthropic } from "./anthropic.ts";
import type { ModelRequest, OpenModel } from "./model.ts";
import { openOpenAICompatible } from "./openai-compatible.ts";
import { openOpenAI } from "./openai.ts";
import { openWorkersAI } from "./workers-ai.ts";

/** Every provider a node may name. */
const PROVIDER_NAMES = ["openai", "anthropic", "workers-ai", "openai-compatible", "scripted"] as const;

/** The name of a provider. */
export type ProviderName = (typeof PROVIDER_NAMES)[number];

const OPENERS: Readonly<
  Record<Exclude<ProviderName, "scripted">, (request: ModelRequest) => Result<OpenModel, StageFailure>>
> = {
  openai: openOpenAI,
  anthropic: openAnthropic,
  "workers-ai": openWorkersAI,
  "openai-compatible": openOpenAICompatible,
};

const isProvider = (name: string): name is ProviderName => PROVIDER_NAMES.some((known) => known === name);

/** The first provider that is configured, in the documented order. */
const configuredProvider = (env: ModelEnv): ProviderName | undefined => {
  if (env.OPENAI_API_KEY) return "openai";
  if (env.ANTHROPIC_API_KEY) return "anthropic";
  if (env.GODWIT_MODEL_URL) return "openai-compatible";
  return env.AI === undefined ? undefined : "workers-ai";
};

/** The provider the node names, else the deployment's default, else the first one that is configured. */
export const chooseProvider = (named: string | undefined, env: ModelEnv): Result<ProviderName, StageFailure> => {
  const name = named ?? (env.GODWIT_DEFAULT_PROVIDER || configuredProvider(env));
  if (name === undefined) {
    const message =
      "no model provider is configured: set OPENAI_API_KEY, ANTHROPIC_API_KEY or GODWIT_MODEL_URL, " +
      'bind Workers AI as AI, or name the provider "scripted", which needs no key';
    return err({ category: "auth", message });
  }
  if (isProvider(name)) return ok(name);
  const where = named === undefined ? "GODWIT_DEFAULT_PROVIDER" : "the node's model policy";
  return err({
    category: "generic",
    message: `${where} names the unknown provider "${name}"; use one of ${PROVIDER_NAMES.join(", ")}`,
  });
};

/** Opens a model of a provider that is called over the network; the failure says what to configure. */
export const openModel = (
  provider: Exclude<ProviderName, "scripted">,
  request: ModelRequest,
): Result<OpenModel, StageFailure> => OPENERS[provider](request);
