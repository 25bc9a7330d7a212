import type { Json } from "../lib/json.ts";
import { type ProblemCode, PROBLEMS, type ProblemType } from "../schema/problem.ts";

/** An expected refusal of the API: a value, answered as a problem document (RFC 9457). */
export interface Problem {
  readonly code: ProblemCode;
  readonly detail: string;
  readonly details?: Json;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The problem document as it is sent. */
export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly details?: Json;
  readonly request_id: string;
}

/** A refusal with a code of the problem table; details are facts for programs. */
export const problem = (code: ProblemCode, detail: string, details?: Json): Problem =>
  details === undefined ? { code, detail } : { code, detail, details };

/** One bad place of a request. */
export interface Issue {
  /** Where, as a path within the body or as the name of a parameter or header. */
  readonly path: string;
  readonly message: string;
}

/** A request with bad places; the text names the first one. */
export const invalid = (issues: readonly Issue[], detail?: string): Problem => {
  const [first] = issues;
  const text = detail ?? (first === undefined ? "the request is not valid" : `${first.path}: ${first.message}`);
  return problem("invalid_request", text, { issues: issues.map(({ path, message }) => ({ path, message })) });
};

/** The address of the page about a code, within the server. */
export const problemPage = (code: string): string => `/docs/errors/${code}`;

const isCode = (code: string): code is ProblemCode => Object.hasOwn(PROBLEMS, code);

/** A refusal that came back as a value from an object; a code this version does not know is a failure of the server. */
export const fromRejection = (rejection: {
  readonly code: string;
  readonly detail: string;
  readonly details?: Json;
}): Problem => problem(isCode(rejection.code) ? rejection.code : "internal_error", rejection.detail, rejection.details);

/** The table's entry for a code. */
export const problemType = (code: ProblemCode): ProblemType => PROBLEMS[code];

/** The response for a refusal. */
export const problemResponse = (refusal: Problem, requestId: string): Response => {
  const { status, title } = problemType(refusal.code);
  const document: ProblemDocument = {
    type: problemPage(refusal.code),
    title,
    status,
    detail: refusal.detail,
    code: refusal.code,
    ...(refusal.details === undefined ? {} : { details: refusal.details }),
    request_id: requestId,
  };
  const waiting = status === 503 || status === 429 ? { "Retry-After": "1" } : {};
  return new Response(JSON.stringify(document), {
    status,
    headers: { "Content-Type": "application/problem+json", ...waiting, ...refusal.headers },
  });
};
