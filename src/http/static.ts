import type { Bindings } from "./call.ts";

/** Paths that belong to the API: nothing below them is ever a file. */
const API_PATHS = /^\/(?:v1|hooks|approve)(?:\/|$)/;

/** The static file a request asks for: the documentation, the dashboard; null when there is none. */
export const assetFor = async (request: Request, env: Bindings): Promise<Response | null> => {
  const { pathname } = new URL(request.url);
  if ((request.method !== "GET" && request.method !== "HEAD") || API_PATHS.test(pathname)) return null;
  const answer = await env.ASSETS.fetch(request);
  if (answer.status === 404) return null;
  // A copy, because the headers of a fetched answer cannot be changed.
  const copy = new Response(answer.body, answer);
  if (!copy.headers.has("Cache-Control")) copy.headers.set("Cache-Control", "no-cache");
  return copy;
};
