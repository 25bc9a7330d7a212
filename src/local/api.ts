import { LocalProblem } from "./problem.ts";

/** The engine's HTTP API, called with the root key. */
export interface Api {
  readonly url: string;
  readonly get: <Reply>(path: string) => Promise<Reply>;
  readonly put: <Reply>(path: string, body: unknown) => Promise<Reply>;
  readonly post: <Reply>(path: string, body: unknown) => Promise<Reply>;
  /** The answer as it is, whatever its status. */
  readonly open: (path: string, headers: Readonly<Record<string, string>>, signal?: AbortSignal) => Promise<Response>;
}

const refusalOf = async (response: Response): Promise<string> => {
  const text = await response.text();
  try {
    const { code, detail, details } = JSON.parse(text) as { code?: string; detail?: string; details?: unknown };
    return `${code ?? ""} ${detail ?? ""} ${details === undefined ? "" : JSON.stringify(details)}`.trim();
  } catch {
    return text.slice(0, 500);
  }
};

/** An answer's JSON; a refusal becomes a `LocalProblem` with what the API says about it. */
export const replyOf = async <Reply>(response: Response, what: string): Promise<Reply> => {
  if (!response.ok) throw new LocalProblem(`${what} was answered ${response.status}: ${await refusalOf(response)}`);
  return (await response.json()) as Reply;
};

/** Opens the API of a server. */
export const openApi = (url: string, key: string): Api => {
  const authorization = { Authorization: `Bearer ${key}` };
  const send = async <Reply>(method: string, path: string, body?: unknown): Promise<Reply> => {
    const response = await fetch(url + path, {
      method,
      headers: { ...authorization, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return replyOf(response, `${method} ${path}`);
  };
  return {
    url,
    get: (path) => send("GET", path),
    put: (path, body) => send("PUT", path, body),
    post: (path, body) => send("POST", path, body),
    open: (path, headers, signal) =>
      fetch(url + path, { headers: { ...authorization, ...headers }, ...(signal === undefined ? {} : { signal }) }),
  };
};
