import type { Judgement, Question } from "../../durable-objects/shell/predicate-desk.ts";
import type { HandlerOutcome, OutsideCall } from "../engine/trigger/handler.ts";
import { performHandler } from "../executor/handlers/perform.ts";
import type { HandlerPorts } from "../executor/handlers/ports.ts";
import { askPredicate } from "../executor/predicate.ts";
import { functions } from "../functions.ts";
import type { JsonObject } from "../lib/json.ts";
import { reducers } from "../reducers.ts";
import { tools } from "../tools.ts";

type OutsideEnv = Pick<Env, "GODWIT_A2A_PUSH_URL" | "GODWIT_A2A_PUSH_TOKEN">;

const now = (): number => Date.now();

const fetcher = (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => fetch(input, init);

/** Longer than the question itself may take. */
const ASK_SLACK_MS = 5_000;

/** Performs a handler's call with what this deployment has registered; aborted, it ends as cancelled. */
export const performOutside = (
  env: OutsideEnv,
  call: OutsideCall,
  { enqueue, signal }: Pick<HandlerPorts, "enqueue"> & { readonly signal: AbortSignal },
): Promise<HandlerOutcome> => {
  const { GODWIT_A2A_PUSH_URL: url, GODWIT_A2A_PUSH_TOKEN: token } = env;
  const push = url === undefined ? {} : { a2a_push: { url, token } };
  return performHandler(call, { env: env as never, fetcher, functions, enqueue, now, ...push }, signal);
};

/** Asks a model whether an event is handled. */
export const askModel = async (env: OutsideEnv, question: Question): Promise<Judgement> => {
  const { id, model, event, timeout_ms, has_cost_limit } = question;
  const config = { env: env as never, fetcher, functions, tools, reducers, now };
  const asked = { predicate: model, event: event as unknown as JsonObject, timeout_ms, has_cost_limit };
  return { id, outcome: await askPredicate(asked, config, AbortSignal.timeout(timeout_ms + ASK_SLACK_MS)) };
};
