import type { HandlerOutcome } from "../../engine/trigger/handler.ts";
import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { parseJson } from "../../lib/json-text.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { traceParent } from "../../lib/trace-parent.ts";
import { readBody } from "../http-response.ts";
import { egressRefusal } from "../private-hosts.ts";
import { createRedactor } from "../redaction.ts";
import { agentAddress } from "./a2a-authority.ts";
import { discoverAgent } from "./a2a-discovery.ts";
import { endpointOf } from "./a2a-interface.ts";
import { type A2aCall, type AgentEndpoint, outcomeOf, pushRequest, sendRequest } from "./a2a-message.ts";
import { headerSafe } from "./header.ts";
import { failed } from "./outcome.ts";
import type { CallSurroundings } from "./ports.ts";

/** The version of the protocol that is spoken. */
const A2A_VERSION = "0.3.0";

const EXCERPT = 300;

/** Makes one JSON-RPC call. */
const callAgent = async (
  call: A2aCall,
  to: { readonly url: URL; readonly request: JsonObject },
  around: CallSurroundings,
): Promise<Result<Json, string>> => {
  const { url, request } = to;
  const response = await around.fetcher(url.href, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json",
      "A2A-Version": A2A_VERSION,
      "A2A-Trace-Id": headerSafe(call.trace_id),
      "Idempotency-Key": headerSafe(call.idempotency_key),
      traceparent: traceParent(call.trace_id),
    },
    body: JSON.stringify(request),
    redirect: "manual",
    signal: around.signal,
  });
  const body = await readBody(response, url.host);
  const text = createRedactor(around.env).text(body.text);
  const answer = parseJson(text);
  // An error of JSON-RPC says more than the status it comes with.
  if (answer.ok && isObject(answer.value) && (response.status === 200 || isObject(answer.value["error"])))
    return answer;
  const said = text === "" ? "" : `: ${text.slice(0, EXCERPT)}`;
  return err(`A2A agent at ${url.origin} answered ${response.status}${said}`);
};

const findEndpoint = async (
  call: A2aCall,
  around: CallSurroundings,
): Promise<Result<AgentEndpoint, HandlerOutcome>> => {
  const address = agentAddress(call.target);
  if (!address.ok) return err(failed("a2a", address.error, false));
  const { authority, target_agent } = address.value;
  const allowed = around.env.GODWIT_ALLOW_PRIVATE_HOSTS;
  const refusal = egressRefusal(new URL(`https://${authority}/`), allowed);
  // The list may name the port that cleartext would use.
  const isPlainAllowed = call.allow_cleartext && egressRefusal(new URL(`http://${authority}/`), allowed) === undefined;
  if (refusal !== undefined && !isPlainAllowed) return err(failed("denied", refusal));
  const found = await discoverAgent(authority, call.allow_cleartext, around);
  if (!found.ok) return err(failed("a2a", found.error));
  const url = endpointOf(found.value, authority);
  if (!url.ok) return err(failed("a2a", url.error));
  const { protocol, href } = url.value;
  if (protocol !== "https:" && !(protocol === "http:" && call.allow_cleartext)) {
    return err(failed("a2a", `A2A endpoint '${href}' is cleartext; it is not called without \`allow_cleartext\``));
  }
  const barred = egressRefusal(url.value, allowed);
  if (barred !== undefined) return err(failed("denied", barred));
  const { id } = found.value.card;
  const agent_id = typeof id === "string" ? id : null;
  return ok({ target_agent, rpc_url: href, card_url: found.value.card_url, agent_id });
};

/** Asks for a report of the task's end; an agent that takes none still has the task. */
const askForPush = async (
  call: A2aCall,
  to: { readonly url: URL; readonly outcome: HandlerOutcome },
  around: CallSurroundings,
): Promise<void> => {
  const { a2a_push: push } = around;
  const { url, outcome } = to;
  const result = outcome.type === "succeeded" ? outcome.result : null;
  if (push === undefined || !isObject(result) || result["kind"] !== "a2a_task_handle") return;
  const request = pushRequest(String(result["task_id"]), push);
  await callAgent(call, { url, request }, around).catch(() => undefined);
};

/**
 * Hands an event to a remote agent (spec/triggers 11.2). A task that the agent has finished is the result; for another one
 * the result is a handle, which counts as a success too.
 */
export const dispatchToAgent = async (call: A2aCall, around: CallSurroundings): Promise<HandlerOutcome> => {
  const endpoint = await findEndpoint(call, around);
  if (!endpoint.ok) return endpoint.error;
  const { rpc_url, target_agent } = endpoint.value;
  const url = new URL(rpc_url);
  const answer = await callAgent(call, { url, request: sendRequest(call, target_agent, around.a2a_push) }, around);
  if (!answer.ok) return failed("a2a", answer.error);
  const outcome = outcomeOf(answer.value, endpoint.value);
  await askForPush(call, { url, outcome }, around);
  return outcome;
};
