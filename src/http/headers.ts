const API_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** Pages load scripts, styles and data from the server itself only; nothing is inline. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; " +
  "manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** Puts the request's id and what browsers are to refuse on an answer. */
export const seal = (headers: Headers, requestId: string): void => {
  const isPage = headers.get("Content-Type")?.startsWith("text/html") === true;
  headers.set("Godwit-Request-Id", requestId);
  // A page of its own may say more narrowly what it needs.
  if (!headers.has("Content-Security-Policy"))
    headers.set("Content-Security-Policy", isPage ? PAGE_POLICY : API_POLICY);
  headers.set("X-Content-Type-Options", "nosniff");
  headers.set("X-Frame-Options", "DENY");
  headers.set("Referrer-Policy", "no-referrer");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  if (!headers.has("Cache-Control")) headers.set("Cache-Control", "no-store");
};
