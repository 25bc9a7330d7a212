import { healthSchema, versionSchema } from "../../schema/api.ts";
import { PROBLEMS, type ProblemCode } from "../../schema/problem.ts";
import { fromDatabase } from "../fault.ts";
import { openApiDocument } from "../openapi.ts";
import { problem } from "../problem.ts";
import { type App, done, type Router } from "../router.ts";
import { VERSION } from "../version.ts";

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

const page = (title: string, body: string): Response =>
  new Response(
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
      `<title>${escaped(title)}</title><link rel="stylesheet" href="/docs/docs.css"></head>` +
      `<body><main class="page">${body}</main></body></html>`,
    { headers: { "Content-Type": "text/html; charset=utf-8" } },
  );

const errorPage = (code: ProblemCode): Response => {
  const { status, title, retryable } = PROBLEMS[code];
  const advice = retryable
    ? "The same request may succeed later: repeat it after a pause, with the same <code>Idempotency-Key</code>."
    : "Repeating the same request leads to the same answer: what <code>detail</code> and <code>details</code> name has to be changed first.";
  return page(
    `${code}: ${title}`,
    `<p><a href="/docs">API reference</a></p><h1><code>${code}</code></h1><p>${escaped(title)}. HTTP status ${status}.</p>` +
      `<p>${advice}</p><p>More about it is in <code>docs/errors/${code}.md</code> of Godwit.</p>`,
  );
};

const isCode = (code: string): code is ProblemCode => Object.hasOwn(PROBLEMS, code);

// Tables do not go away: once seen, they are not asked for again, so that health checks cost nothing.
let sawTables = false;

const databaseIsReady = async (db: D1Database): Promise<void> => {
  if (sawTables) return;
  await fromDatabase(db.prepare("SELECT 1 FROM workflows LIMIT 1").all());
  sawTables = true;
};

/** Health, version and the documentation. */
export const addMetaRoutes = (router: Router, app: App): void => {
  const tag = "Server";
  router.add(
    {
      method: "get",
      path: "/healthz",
      operation: "get_health",
      tag,
      summary: "Whether the server is ready",
      description: "Ready is a server whose database has its tables.",
      access: "open",
      reply: { status: 200, description: "It is", name: "Health", schema: healthSchema },
      problems: ["unavailable"],
    },
    async ({ call }) => {
      await databaseIsReady(call.env.DB);
      return done({ status: "ok" as const });
    },
  );
  router.add(
    {
      method: "get",
      path: "/v1/version",
      operation: "get_version",
      tag,
      summary: "The version of the server; also a way to check a key",
      access: "any",
      reply: { status: 200, description: "The version", name: "Version", schema: versionSchema },
    },
    () => done({ name: "godwit" as const, version: VERSION, api: "v1" as const }),
  );
  router.add(
    {
      method: "get",
      path: "/openapi.json",
      operation: "get_openapi",
      tag,
      summary: "This description of the API",
      access: "open",
      reply: { status: 200, description: "An OpenAPI 3.1 document" },
    },
    () => Response.json(openApiDocument(app, router.routes), { headers: { "Cache-Control": "no-cache" } }),
  );
  router.add(
    {
      method: "get",
      path: "/docs/errors/{code}",
      operation: "get_error_page",
      tag,
      summary: "The page about an error code",
      access: "open",
      reply: { status: 200, description: "An HTML page" },
    },
    ({ params }) =>
      isCode(params.code)
        ? errorPage(params.code)
        : problem("route_not_found", `there is no error code ${params.code}`),
  );
};
