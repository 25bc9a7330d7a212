import type { generateText, LanguageModel } from "ai";
import type { ModelEnv } from "../ports/model-env.ts";

/** What opening a model needs. */
export interface ModelRequest {
  readonly env: ModelEnv;
  readonly fetcher: typeof fetch;
  /** The model of the node or of the deployment; the provider's own default without one. */
  readonly model: string | undefined;
}

/** A model that is ready to be called. */
export interface OpenModel {
  readonly model: string;
  readonly language_model: Exclude<LanguageModel, string>;
  /** Settings that only this provider has. */
  readonly provider_options?: NonNullable<Parameters<typeof generateText>[0]["providerOptions"]>;
}
