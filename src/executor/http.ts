import { err, ok, type Result } from "../lib/result.ts";
import { NetworkFault } from "../llm/network.ts";
import type { StageFailure } from "../ports/stage-failure.ts";
import type { HttpRequest } from "./http-request.ts";
import { prepareRequest, redirectedRequest } from "./http-request.ts";
import { isExpected, MAX_RESPONSE_BYTES, readBody, responseFailure, responseResult } from "./http-response.ts";
import { egressRefusal } from "./private-hosts.ts";
import type { Runner, RunnerContext } from "./runner.ts";

/** How many redirects are followed. */
const MAX_REDIRECTS = 5;

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Makes one HTTP call; a status of 400 or more, or another than the expected one, is a failed stage. */
export const httpRunner: Runner = {
  run: async (plan, context) => {
    const request = prepareRequest(plan, context.env);
    if (!request.ok) return request;
    const expected = plan.http?.expect_status ?? undefined;
    const answer = await follow(request.value, expected, context);
    if (!answer.ok) return answer;
    const { response, url, method } = answer.value;
    const body = await readBody(response, url.host);
    if (!isExpected(response.status, expected)) {
      // Redacted before it is cut to an excerpt: a secret at the cut would otherwise be shown in part.
      const text = context.redactor.text(body.text);
      const call = context.redactor.text(`${method} ${url.origin}${url.pathname}`);
      return err(responseFailure(response, text, { call, expected, now: context.now() }));
    }
    if (body.cut) {
      const message = `the response has more than ${MAX_RESPONSE_BYTES} bytes: ask the server for less, for example by paging`;
      return err({ category: "generic", message, status_code: response.status });
    }
    return ok(responseResult(response, body.text));
  },
  explain: (thrown) => {
    if (thrown instanceof NetworkFault) return { category: "transient_network", message: thrown.message };
    return { category: "generic", message: thrown instanceof Error ? thrown.message : "the HTTP call failed" };
  },
};

interface Answer {
  readonly response: Response;
  readonly url: URL;
  readonly method: string;
}

/** Follows redirects by hand, because every hop is checked like the first. */
const follow = async (
  first: HttpRequest,
  expected: number | undefined,
  context: RunnerContext,
): Promise<Result<Answer, StageFailure>> => {
  const { fetcher } = context;
  let request = first;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
    const refusal = egressRefusal(request.url, context.env.GODWIT_ALLOW_PRIVATE_HOSTS);
    if (refusal !== undefined) {
      return err({ category: "egress_blocked", message: hops === 0 ? refusal : `a redirect was refused: ${refusal}` });
    }
    const response = await fetcher(request.url.href, {
      method: request.method,
      headers: [...request.headers],
      redirect: "manual",
      signal: context.signal,
      ...(request.body === undefined ? {} : { body: request.body }),
    });
    const location = REDIRECTS.has(response.status) ? response.headers.get("location") : null;
    if (location === null || response.status === expected) {
      return ok({ response, url: request.url, method: request.method });
    }
    await response.body?.cancel();
    const next = redirectedRequest(request, response.status, location);
    if (!next.ok) return next;
    request = next.value;
  }
  return err({ category: "generic", message: `the server redirects more than ${MAX_REDIRECTS} times` });
};
