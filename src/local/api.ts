import { Client } from "../http/client.ts";
import { LocalProblem } from "./problem.ts";

/** The engine's HTTP API, called with the root key: the typed client, and plain calls for what it has no method for. */
export interface Api {
  readonly url: string;
  readonly client: Client;
  readonly get: <Reply>(path: string) => Promise<Reply>;
  readonly put: <Reply>(path: string, body: unknown) => Promise<Reply>;
  /** The JSON of an answer, or null when it is a refusal, whatever that says. */
  readonly look: <Reply>(path: string) => Promise<Reply | null>;
}

/** An answer's JSON; a refusal becomes a `LocalProblem` with what the API says about it. */
export const replyOf = async <Reply>(response: Response, what: string): Promise<Reply> => {
  if (response.ok) return (await response.json()) as Reply;
  throw new LocalProblem(`${what} was answered ${response.status}: ${(await response.text()).slice(0, 1_000)}`);
};

/** Opens the API of a server. */
export const openApi = (url: string, key: string): Api => {
  const send = (method: string, path: string, body?: unknown): Promise<Response> =>
    fetch(url + path, {
      method,
      headers: {
        Authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  return {
    url,
    client: new Client({ base_url: url, key }),
    get: async (path) => replyOf(await send("GET", path), `GET ${path}`),
    put: async (path, body) => replyOf(await send("PUT", path, body), `PUT ${path}`),
    look: async (path) => {
      const response = await send("GET", path);
      if (response.ok) return (await response.json()) as never;
      // Read to its end, so that the connection can be used again.
      await response.text();
      return null;
    },
  };
};
