import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { isUnder } from "./a2a-authority.ts";

/** A remote agent's card, and where it was found. */
export interface AgentCard {
  readonly card: JsonObject;
  readonly card_url: string;
}

const objectsIn = (value: Json | undefined): readonly JsonObject[] =>
  Array.isArray(value) ? (value as readonly Json[]).filter(isObject) : [];

const isJsonRpc = (value: Json | undefined): boolean => typeof value === "string" && value.toUpperCase() === "JSONRPC";

/** The name of a protocol, under every key that versions of the protocol have given it. */
const speaksJsonRpc = (entry: JsonObject): boolean =>
  ["protocolBinding", "protocol", "transport", "type"].some((key) => isJsonRpc(entry[key]));

const urlOf = (value: Json | undefined, base: string): Result<URL, string> => {
  const text = typeof value === "string" ? value : "";
  if (text === "" || !URL.canParse(text, base)) return err(`A2A agent card has no usable URL: '${text}'`);
  return ok(new URL(text, base));
};

/** The authority of a URL as the card has it. */
const authorityIn = (url: URL): string => url.host;

const checked = (url: URL, authority: string, what: string): Result<URL, string> =>
  isUnder(url, authority)
    ? ok(url)
    : err(`${what} authority mismatch: requested '${authority}', card returned '${authorityIn(url)}'`);

const checkedInterface = (entry: JsonObject, authority: string, base: string): Result<URL, string> => {
  const url = urlOf(entry["url"], base);
  return url.ok ? checked(url.value, authority, "A2A JSONRPC interface") : url;
};

/** A card of an older version: its own URL is the agent's, and interfaces are under it. */
const legacyEndpoint = ({ card, card_url }: AgentCard, authority: string): Result<URL, string> => {
  const own = urlOf(card["url"], card_url);
  const base = own.ok ? checked(own.value, authority, "A2A agent card url") : own;
  const all = card["interfaces"] ?? card["additionalInterfaces"];
  const interfaces = objectsIn(all).filter(speaksJsonRpc);
  if (card["url"] !== undefined && !base.ok) return base;
  const root = base.ok ? base.value.href : card_url;
  if (Array.isArray(card["interfaces"])) {
    const [only] = interfaces;
    if (only === undefined || interfaces.length > 1) {
      return err(`A2A agent card must name exactly one JSONRPC interface, it names ${interfaces.length}`);
    }
    return only["url"] === undefined ? base : checkedInterface(only, authority, root);
  }
  const preferred = card["preferredTransport"];
  if (preferred === undefined || isJsonRpc(preferred)) return base;
  const [other] = interfaces;
  return other === undefined
    ? err("A2A agent card names no JSONRPC interface")
    : checkedInterface(other, authority, root);
};

/** The endpoint of an agent that speaks JSON-RPC, under the authority that was asked (spec/triggers 11.2, point 3). */
export const endpointOf = (found: AgentCard, authority: string): Result<URL, string> => {
  const { card, card_url } = found;
  const supported = objectsIn(card["supportedInterfaces"]).find((entry) => isJsonRpc(entry["protocolBinding"]));
  if (supported !== undefined) return checkedInterface(supported, authority, card_url);
  return legacyEndpoint(found, authority);
};
