import * as z from "zod";
import { problemSchema } from "../schema/api.ts";
import { type ProblemCode, PROBLEMS } from "../schema/problem.ts";
import { workflowAuditEntrySchema, workflowGraphSchema } from "../schema/graph.ts";
import { runRecordSchema } from "../schema/record.ts";
import type { AnyRoute, App, Shape } from "./router.ts";
import { VERSION } from "./version.ts";

type JsonSchema = Record<string, unknown>;

/** Codes that every route below `/v1` may answer. */
const COMMON: readonly ProblemCode[] = [
  "invalid_request",
  "unauthorized",
  "forbidden",
  "internal_error",
  "unavailable",
];

const BODY_CODES: readonly ProblemCode[] = ["payload_too_large", "unsupported_media_type"];

/** Shapes that are parts of several answers. */
const SHARED_REPLIES: readonly Shape<z.ZodType>[] = [
  { name: "Problem", schema: problemSchema },
  { name: "NormalWorkflowGraph", schema: workflowGraphSchema },
  { name: "WorkflowAuditEntry", schema: workflowAuditEntrySchema },
  { name: "RunRecord", schema: runRecordSchema },
];

const reference = (name: string) => `#/components/schemas/${name}`;

/** Named shapes as JSON Schema; a shape within another becomes a reference. */
const schemasOf = (shapes: readonly Shape<z.ZodType>[], io: "input" | "output"): Record<string, JsonSchema> => {
  const registry = z.registry<{ id: string }>();
  const seen = new Set<string>();
  for (const { name, schema } of shapes) {
    if (!seen.has(name) && !registry.has(schema)) registry.add(schema, { id: name });
    seen.add(name);
  }
  const { schemas } = z.toJSONSchema(registry, {
    io,
    unrepresentable: "any",
    uri: reference,
    // `readonly` is a promise of our types; in OpenAPI it would mean that a request may not hold the field.
    override: ({ jsonSchema }) => {
      delete jsonSchema.readOnly;
      // Answers may get further fields.
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    },
  });
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema: _schema, $id: _id, ...schema }]) => [name, schema as JsonSchema]),
  );
};

const pathParameters = (path: string): readonly JsonSchema[] =>
  [...path.matchAll(/\{(.+?)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string", minLength: 1, maxLength: 200 },
  }));

const queryParameters = (schema: z.ZodType | undefined): readonly JsonSchema[] => {
  if (schema === undefined) return [];
  const { properties = {} } = z.toJSONSchema(schema, { io: "output", unrepresentable: "any" });
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = property as JsonSchema;
    return { name, in: "query", required: false, schema: rest, ...(description === undefined ? {} : { description }) };
  });
};

const IDEMPOTENCY_KEY = {
  name: "Idempotency-Key",
  in: "header",
  required: false,
  description: "The same key with the same request gives the same answer; with another request it is refused",
  schema: { type: "string", minLength: 1, maxLength: 200 },
};

const TENANT = {
  name: "Godwit-Tenant",
  in: "header",
  required: false,
  description: "With the root key: the tenant to act for, `default` without it",
  schema: { type: "string", pattern: "^[a-z0-9][a-z0-9-]{0,62}$" },
};

const codesOf = (route: AnyRoute): readonly ProblemCode[] => [
  ...(route.access === "open" ? [] : COMMON),
  ...(route.body === undefined ? [] : BODY_CODES),
  ...(route.problems ?? []),
];

/** One response for each status, with the codes it may have. */
const problemResponses = (route: AnyRoute): Record<string, unknown> => {
  const byStatus = Map.groupBy(codesOf(route), (code) => PROBLEMS[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      String(status),
      {
        description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join("; "),
        content: { "application/problem+json": { schema: { $ref: reference("Problem") } } },
      },
    ]),
  );
};

const successResponse = ({ reply }: AnyRoute): Record<string, unknown> => ({
  [String(reply.status)]: {
    description: reply.description,
    ...(reply.name === undefined
      ? {}
      : { content: { "application/json": { schema: { $ref: reference(reply.name) } } } }),
  },
});

const operationOf = (route: AnyRoute): Record<string, unknown> => ({
  method: route.method,
  path: route.path,
  operationId: route.operation,
  tags: [route.tag],
  summary: route.summary,
  ...(route.description === undefined ? {} : { description: route.description }),
  ...(route.access === "open" ? { security: [] } : { security: [{ api_key: [] }] }),
  ...(route.access === "open" || route.access === "any" ? {} : { "x-scope": route.access }),
  parameters: [
    ...pathParameters(route.path),
    ...queryParameters(route.query),
    ...(route.method === "post" && route.access !== "open" ? [IDEMPOTENCY_KEY] : []),
    ...(route.access === "open" ? [] : [TENANT]),
  ],
  ...(route.body === undefined
    ? {}
    : {
        requestBody: {
          required: route.body.optional !== true,
          content: { "application/json": { schema: { $ref: reference(route.body.name) } } },
        },
      }),
  responses: { ...successResponse(route), ...problemResponses(route) },
});

const DESCRIPTION =
  "Durable agent workflows. Everything is JSON with snake_case fields; errors are problem documents (RFC 9457) with a `code`. " +
  "Lists take `limit` and `cursor` and answer `{items, next_cursor}`. Times are RFC 3339.";

let known: { readonly routes: number; readonly document: unknown } | null = null;

/** The OpenAPI 3.1 document of the routes, made from their schemas once. */
export const openApiDocument = (app: App, routes: readonly AnyRoute[]): unknown => {
  if (known?.routes === routes.length) return known.document;
  const replies = routes.flatMap(({ reply: { name, schema } }) =>
    name === undefined || schema === undefined ? [] : [{ name, schema }],
  );
  const bodies = routes.flatMap(({ body }) => (body === undefined ? [] : [body]));
  const schemas = {
    ...schemasOf([...bodies, { name: "WorkflowGraph", schema: workflowGraphSchema }], "input"),
    ...schemasOf([...replies, ...SHARED_REPLIES], "output"),
  };
  const registry = app.openAPIRegistry;
  registry.registerComponent("securitySchemes", "api_key", { type: "http", scheme: "bearer" });
  for (const [name, schema] of Object.entries(schemas)) registry.registerComponent("schemas", name, schema as never);
  for (const route of routes) registry.registerPath(operationOf(route) as never);
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: { title: "Godwit", version: VERSION, description: DESCRIPTION, license: { name: "MIT" } },
    servers: [{ url: "/" }],
  });
  known = { routes: routes.length, document };
  return document;
};
