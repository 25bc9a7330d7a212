/** What the deployment configures for executors: keys, addresses and bindings. Its secrets never enter a result. */
export interface ModelEnv {
  readonly OPENAI_API_KEY?: string | undefined;
  readonly ANTHROPIC_API_KEY?: string | undefined;
  /** Base URL of an endpoint that speaks OpenAI's chat completions, for the provider `openai-compatible`. */
  readonly GODWIT_MODEL_URL?: string | undefined;
  readonly GODWIT_MODEL_API_KEY?: string | undefined;
  /** The model of stages that name none. */
  readonly GODWIT_MODEL?: string | undefined;
  /** The provider of stages that name none. */
  readonly GODWIT_DEFAULT_PROVIDER?: string | undefined;
  /** Prices as JSON: `{"<model>" or "<provider>/<model>": {"input", "output", "cached_input"?}}`, US dollars per million tokens. */
  readonly GODWIT_MODEL_PRICES?: string | undefined;
  /** Comma-separated `host` or `host:port` that HTTP stages may call although they are private. */
  readonly GODWIT_ALLOW_PRIVATE_HOSTS?: string | undefined;
  /** The Workers AI binding. */
  readonly AI?: Ai | undefined;
  /** What `{{secret.NAME}}` in an HTTP call stands for. */
  readonly [secret: `GODWIT_SECRET_${string}`]: string | undefined;
}
