import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type * as z from "zod";
import { err, ok, type Result } from "../lib/result.ts";
import type { Scope } from "../schema/api-key.ts";
import { decodeAt } from "../schema/decode.ts";
import type { ProblemCode } from "../schema/problem.ts";
import { authenticate } from "./auth.ts";
import { excessBeside } from "./bodies.ts";
import { MAX_REQUEST_BYTES, maxBodyBytes, readJson } from "./body.ts";
import type { Bindings, Call } from "./call.ts";
import { decodePath, type PathParams, pathTest } from "./path.ts";
import { invalid, problem, type Problem, problemResponse } from "./problem.ts";

/** What Hono carries for a request. */
export interface HonoEnv {
  Bindings: Bindings;
  Variables: { request_id: string };
}

/** The application's type. */
export type App = OpenAPIHono<HonoEnv>;

/** A named shape of the documentation. */
export interface Shape<Schema extends z.ZodType> {
  readonly name: string;
  readonly schema: Schema;
}

/** One operation of the API: what it takes, what it answers, who may call it. */
export interface Route<Path extends string, Query extends z.ZodType, Body extends z.ZodType, Reply extends z.ZodType> {
  readonly method: "get" | "post" | "put" | "delete";
  /** Such as `/v1/runs/{run_id}`; each name in braces is an id of 1 to 200 characters. */
  readonly path: Path;
  readonly operation: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** `open` needs no key, `any` any valid one. */
  readonly access: "open" | "any" | Scope;
  readonly query?: Query & z.ZodObject;
  /** `bodies_in` names the field whose long texts do not count to the limit: they are kept as bodies. */
  readonly body?: Shape<Body> & { readonly optional?: boolean; readonly bodies_in?: string };
  readonly reply: { readonly status: number; readonly description: string } & Partial<Shape<Reply>>;
  /** Codes beside those that every route may answer. */
  readonly problems?: readonly ProblemCode[];
}

/** Any operation, as the documentation sees it. */
export type AnyRoute = Route<string, z.ZodType, z.ZodType, z.ZodType>;

/** An answer: a document, nothing (204), or a response made elsewhere. */
export type Outcome<Body> = Done<Body> | Problem | Response;

interface Done<Body> {
  readonly done: number;
  readonly body: Body;
}

/** A successful answer. */
export const done = <Body>(body: Body, status = 200): Done<Body> => ({ done: status, body });

/** What a handler gets: everything has been decoded. */
export interface Input<Path extends string, Query, Body> {
  readonly params: PathParams<Path>;
  readonly query: Query;
  readonly body: Body;
  readonly call: Call;
}

type Handler<Path extends string, Query extends z.ZodType, Body extends z.ZodType, Reply extends z.ZodType> = (
  input: Input<Path, z.output<Query>, z.output<Body>>,
) => Promise<Outcome<z.output<Reply>>> | Outcome<z.output<Reply>>;

/** Adds operations to the application and remembers them for the documentation. */
export class Router {
  readonly routes: AnyRoute[] = [];
  readonly #app: App;

  constructor(app: App) {
    this.#app = app;
  }

  /** Adds an operation: its handler is called for an allowed caller with decoded input. */
  add<Path extends string, Query extends z.ZodType, Body extends z.ZodType, Reply extends z.ZodType>(
    route: Route<Path, Query, Body, Reply>,
    handler: Handler<Path, Query, Body, Reply>,
  ): void {
    this.routes.push(route as unknown as AnyRoute);
    this.#app.on(route.method.toUpperCase(), route.path.replaceAll(/\{(.+?)\}/g, ":$1"), async (c) => {
      const requestId = c.get("request_id");
      const call = await authenticate(c.req.raw, c.env, route.access);
      if (!call.ok) return problemResponse(call.error, requestId);
      const input = await decode(route, { ...call.value, ...around(c) });
      return input.ok ? respond(await handler(input.value), requestId) : problemResponse(input.error, requestId);
    });
  }

  /** Asks a handler about requests that no operation added before takes; null leaves them to the 404. No key is needed. */
  otherwise(method: "post", handler: (call: Call) => Promise<Outcome<unknown> | null>): void {
    this.#app.on(method.toUpperCase(), "/*", async (c, next) => {
      const requestId = c.get("request_id");
      const call = await authenticate(c.req.raw, c.env, "open");
      if (!call.ok) return problemResponse(call.error, requestId);
      const outcome = await handler({ ...call.value, ...around(c), idempotency_key: null });
      return outcome === null ? next() : respond(outcome, requestId);
    });
  }

  /** The methods a path has, for an answer to another one. */
  methodsOf(pathname: string): readonly string[] {
    const matching = this.routes.filter((route) => pathTest(route.path).test(pathname));
    const methods = new Set(matching.map((route) => route.method.toUpperCase()));
    if (methods.has("GET")) methods.add("HEAD");
    return [...methods].toSorted();
  }
}

/** What a call has of the request it comes with. */
const around = (c: Context<HonoEnv>): Pick<Call, "env" | "request" | "request_id" | "waitUntil"> => ({
  env: c.env,
  request: c.req.raw,
  request_id: c.get("request_id"),
  waitUntil: (work) => c.executionCtx.waitUntil(work),
});

const respond = (outcome: Outcome<unknown>, requestId: string): Response => {
  if (outcome instanceof Response) return outcome;
  if ("code" in outcome) return problemResponse(outcome, requestId);
  if (outcome.done === 204) return new Response(null, { status: 204 });
  return Response.json(outcome.body, { status: outcome.done });
};

const MAX_KEY_CHARACTERS = 200;

const decodeIdempotencyKey = (request: Request): Result<string | null, Problem> => {
  const key = request.headers.get("Idempotency-Key");
  if (key === null || (key.length <= MAX_KEY_CHARACTERS && /^[\u0020-\u007e]+$/.test(key))) return ok(key);
  const message = `must have 1 to ${MAX_KEY_CHARACTERS} printable ASCII characters`;
  return err(invalid([{ path: "Idempotency-Key", message }]));
};

const decodeQuery = (schema: z.ZodType | undefined, url: URL): Result<unknown, Problem> => {
  if (schema === undefined) return ok(undefined);
  const query = decodeAt(schema, Object.fromEntries(url.searchParams));
  return query.ok ? query : err(invalid(query.error));
};

const decodeBody = async (route: Pick<AnyRoute, "body">, call: Call): Promise<Result<unknown, Problem>> => {
  if (route.body === undefined) return ok(undefined);
  const limit = maxBodyBytes(call.env.GODWIT_MAX_BODY_BYTES);
  const { bodies_in: field } = route.body;
  const given = await readJson(call.request, field === undefined ? limit : Math.max(limit, MAX_REQUEST_BYTES));
  if (!given.ok) return given;
  const excess = field === undefined ? null : excessBeside(given.value, field, limit);
  if (excess !== null) return err(excess);
  if (given.value === undefined && route.body.optional !== true)
    return err(
      problem("invalid_request", "the request has no body; send a JSON object", {
        issues: [{ path: ".", message: "missing" }],
      }),
    );
  const body = decodeAt(route.body.schema, given.value ?? {});
  return body.ok ? body : err(invalid(body.error));
};

const decode = async <Path extends string, Query extends z.ZodType, Body extends z.ZodType, Reply extends z.ZodType>(
  route: Route<Path, Query, Body, Reply>,
  incoming: Omit<Call, "idempotency_key">,
): Promise<Result<Input<Path, z.output<Query>, z.output<Body>>, Problem>> => {
  const url = new URL(incoming.request.url);
  const params = decodePath(route.path, url.pathname);
  if (!params.ok) return err(invalid(params.error));
  const query = decodeQuery(route.query, url);
  if (!query.ok) return query;
  const key = decodeIdempotencyKey(incoming.request);
  if (!key.ok) return key;
  const call: Call = { ...incoming, idempotency_key: key.value };
  const body = await decodeBody(route as unknown as AnyRoute, call);
  if (!body.ok) return body;
  return ok({ params: params.value, query: query.value as z.output<Query>, body: body.value as z.output<Body>, call });
};
