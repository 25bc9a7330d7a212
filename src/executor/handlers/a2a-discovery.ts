import { isObject } from "../../lib/json.ts";
import { parseJson } from "../../lib/json-text.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { NetworkFault } from "../../llm/network.ts";
import { readBody } from "../http-response.ts";
import { egressRefusal } from "../private-hosts.ts";
import { isLoopback } from "./a2a-authority.ts";
import type { AgentCard } from "./a2a-interface.ts";
import type { CallSurroundings } from "./ports.ts";

/** Where agents keep their cards, in the order in which they are looked for (spec/triggers 11.2). */
const CARD_PATHS = [".well-known/agent-card.json", ".well-known/a2a-agent", ".well-known/agent.json", "agent/card"];

interface NotFound {
  readonly message: string;
  /** Nobody answered: the other places need not be asked. */
  readonly unreachable: boolean;
}

const readCard = async (url: URL, around: CallSurroundings): Promise<Result<AgentCard, NotFound>> => {
  // The list of allowed hosts may name a port, and with another scheme the port is another one.
  const refusal = egressRefusal(url, around.env.GODWIT_ALLOW_PRIVATE_HOSTS);
  if (refusal !== undefined) return err({ message: refusal, unreachable: true });
  const missing = (message: string) => err({ message: `${url.href} ${message}`, unreachable: false });
  try {
    const headers = { accept: "application/json" };
    const response = await around.fetcher(url.href, { headers, redirect: "manual", signal: around.signal });
    const body = await readBody(response, url.host);
    if (response.status !== 200) return missing(`answered ${response.status}`);
    const card = parseJson(body.text);
    return card.ok && isObject(card.value) ? ok({ card: card.value, card_url: url.href }) : missing("is no agent card");
  } catch (thrown) {
    if (!(thrown instanceof NetworkFault) || around.signal.aborted) throw thrown;
    return err({ message: thrown.message, unreachable: true });
  }
};

const discoverBy = async (
  scheme: "https" | "http",
  authority: string,
  around: CallSurroundings,
): Promise<Result<AgentCard, NotFound>> => {
  let last: NotFound = { message: "", unreachable: false };
  for (const path of CARD_PATHS) {
    const found = await readCard(new URL(`${scheme}://${authority}/${path}`), around);
    if (found.ok) return found;
    last = found.error;
    if (last.unreachable) break;
  }
  return err(last);
};

/**
 * Finds the card of an agent. Only TLS is tried, unless cleartext is allowed: then also without it, when nobody answers
 * with TLS, and on this machine itself whenever no card is found (spec/triggers 11.2, point 2).
 */
export const discoverAgent = async (
  authority: string,
  allowCleartext: boolean,
  around: CallSurroundings,
): Promise<Result<AgentCard, string>> => {
  const secure = await discoverBy("https", authority, around);
  if (secure.ok) return secure;
  const { message, unreachable } = secure.error;
  const failed = (reason: string): string => `A2A agent card of '${authority}' was not found: ${reason}`;
  if (!allowCleartext) {
    const hint = unreachable ? "; cleartext HTTP is not tried without `allow_cleartext`" : "";
    return err(failed(message + hint));
  }
  if (!unreachable && !isLoopback(new URL(`https://${authority}/`))) return err(failed(message));
  const plain = await discoverBy("http", authority, around);
  return plain.ok ? plain : err(failed(plain.error.message));
};
