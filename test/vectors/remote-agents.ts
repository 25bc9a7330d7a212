import { isObject, type Json, type JsonObject } from "../../src/lib/json.ts";
import type { Values } from "./values.ts";

/** Whether a scripted agent speaks without TLS; agents speak with it unless their entry says otherwise. */
const isCleartext = (agent: JsonObject): boolean =>
  agent["scheme"] === "http" ||
  agent["protocol"] === "http" ||
  agent["cleartext"] === true ||
  agent["tls"] === false ||
  agent["https"] === false;

const answer = (body: Json, status = 200): Response =>
  new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });

/** The network as remote agents see it: `given.remote_agents` by authority, each with its answers to `message/send`. */
export class RemoteAgents {
  readonly #values: Values;
  readonly #used = new Map<string, number>();
  #calls = 0;

  constructor(values: Values) {
    this.#values = values;
  }

  /** Calls that reached an agent's endpoint so far. */
  get calls(): number {
    return this.#calls;
  }

  /** The hosts of the vector; they may be called although some are private. */
  get authorities(): readonly string[] {
    return Object.keys(this.#agents());
  }

  readonly fetch = (async (input: RequestInfo | URL, init?: RequestInit) => {
    const url = new URL(String(input));
    const agent = this.#agents()[url.host];
    const isPlain = url.protocol === "http:";
    if (!isObject(agent) || isCleartext(agent) !== isPlain) throw new TypeError(`connection refused: ${url.host}`);
    if (init?.method !== "POST") return this.#card(url, agent);
    this.#calls += 1;
    const request = JSON.parse(String(init.body)) as JsonObject;
    return request["method"] === "message/send" ? this.#respond(url.host, agent, request) : answer({ result: {} });
  }) as typeof fetch;

  #agents(): JsonObject {
    const agents = this.#values.surrounding("remote_agents");
    return isObject(agents) ? agents : {};
  }

  #card(url: URL, agent: JsonObject): Response {
    if (url.pathname !== "/.well-known/agent-card.json") return answer({}, 404);
    const rpc = { protocolBinding: "JSONRPC", url: `${url.origin}/rpc` };
    return answer(agent["card"] ?? { name: url.host, supportedInterfaces: [rpc] });
  }

  /** The next answer of an agent; the last one repeats. */
  #respond(authority: string, agent: JsonObject, request: JsonObject): Response {
    const responses = (agent["responses"] ?? []) as readonly Json[];
    const used = this.#used.get(authority) ?? 0;
    this.#used.set(authority, used + 1);
    const result = responses[Math.min(used, responses.length - 1)] ?? null;
    return answer({ jsonrpc: "2.0", id: request["id"] ?? null, result });
  }
}
