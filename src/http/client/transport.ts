import type { Json } from "../../lib/json.ts";
import type * as z from "zod";
import type { ProblemDocument } from "../problem.ts";

/** An answer of the API that is a problem document. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly problem: ProblemDocument;
  readonly code: string;
  readonly status: number;

  constructor(problem: ProblemDocument) {
    super(`${problem.code}: ${problem.detail}`);
    this.problem = problem;
    this.code = problem.code;
    this.status = problem.status;
  }
}

export interface ClientOptions {
  /** Such as `http://127.0.0.1:8787`. */
  readonly base_url: string;
  readonly key: string;
  /** With the root key: the tenant to act for. */
  readonly tenant?: string;
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

/** Settings of one call. */
export interface CallOptions {
  readonly idempotency_key?: string;
  readonly signal?: AbortSignal;
}

/** Parameters of a list. */
export type Query = Readonly<Record<string, string | number | undefined>>;

/** What a schema's documents are once they are read. */
export type Out<Schema extends z.ZodType> = z.output<Schema>;

/** A page of a list; its items are any JSON unless they have a shape of their own. */
export interface Page<Item = Json> {
  readonly items: readonly Item[];
  readonly next_cursor: string | null;
}

const unreadable = (response: Response): ProblemDocument => ({
  type: "about:blank",
  title: "The answer is no problem document",
  status: response.status,
  detail: `the server answered ${response.status} without a problem document`,
  code: "internal_error",
  request_id: response.headers.get("Godwit-Request-Id") ?? "",
});

/** An id as a part of a path. */
export const segment = encodeURIComponent;

/** Sends the operations of one client. */
export class Transport {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** The decoded answer of an operation; undefined where there is nothing to decode. */
  async send<Reply>(
    method: string,
    path: string,
    { body, query, call }: { readonly body?: unknown; readonly query?: Query; readonly call?: CallOptions } = {},
  ): Promise<Reply> {
    const given = Object.entries(query ?? {}).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, String(value)]],
    );
    const search = given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
    const response = await this.fetch(`${path}${search}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(call?.idempotency_key === undefined ? {} : { "Idempotency-Key": call.idempotency_key }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(call?.signal === undefined ? {} : { signal: call.signal }),
    });
    return (response.status === 204 ? undefined : await response.json()) as Reply;
  }

  /** The answer of an operation as it comes; throws a `ProblemError` for a refusal. */
  async fetch(
    path: string,
    init: RequestInit & { readonly headers: Readonly<Record<string, string>> },
  ): Promise<Response> {
    const {
      base_url: base,
      key,
      tenant,
      fetch: send = (url: string, request: RequestInit) => fetch(url, request),
    } = this.#options;
    const response = await send(`${base.replace(/\/$/, "")}${path}`, {
      ...init,
      headers: {
        Authorization: `Bearer ${key}`,
        ...(tenant === undefined ? {} : { "Godwit-Tenant": tenant }),
        ...init.headers,
      },
    });
    if (response.ok) return response;
    const isProblem = response.headers.get("Content-Type")?.includes("application/problem+json") === true;
    throw new ProblemError(isProblem ? await response.json() : unreadable(response));
  }
}
