/** Secrets and variables of a deployment; none has a default value. */
interface Env {
  /** The root key of the API; without it `/v1` is not served. */
  readonly GODWIT_ROOT_KEY?: string;
  /** Base64 of 32 bytes, or a list of those: the first seals secrets of triggers, all of them open. */
  readonly GODWIT_MASTER_KEY?: string;
  /** `memory` where queues lose their messages with the process, as the local server's do. */
  readonly GODWIT_QUEUES?: "memory";
  readonly GODWIT_MAX_BODY_BYTES?: string;
  /** How many days an event stays in the list of events. */
  readonly GODWIT_EVENT_LIST_DAYS?: string;
  readonly GODWIT_ALLOW_PRIVATE_HOSTS?: string;
  /** The work queue for commands of verify nodes that name none. */
  readonly GODWIT_COMMAND_QUEUE?: string;
  /** Where remote agents send the end of tasks they have not finished at once, and the token they send with it. */
  readonly GODWIT_A2A_PUSH_URL?: string;
  readonly GODWIT_A2A_PUSH_TOKEN?: string;
  readonly GODWIT_DEFAULT_PROVIDER?: string;
  readonly GODWIT_MODEL?: string;
  readonly GODWIT_MODEL_URL?: string;
  readonly GODWIT_MODEL_API_KEY?: string;
  readonly GODWIT_MODEL_PRICES?: string;
  readonly OPENAI_API_KEY?: string;
  readonly ANTHROPIC_API_KEY?: string;
  readonly AI?: Ai;
}
