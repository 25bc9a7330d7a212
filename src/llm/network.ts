/** A call that got no answer: no connection, or one that broke before its end. */
export class NetworkFault extends Error {
  readonly code = "network_fault";

  constructor(host: string, cause: unknown) {
    super(`no answer from ${host}: ${reasonOf(cause)}`, { cause });
    this.name = "NetworkFault";
  }
}

/** The innermost reason, because runtimes wrap it in a general "fetch failed". */
const reasonOf = (cause: unknown): string => {
  let current = cause;
  for (let depth = 0; depth < 5 && current instanceof Error && current.cause instanceof Error; depth += 1) {
    current = current.cause;
  }
  return current instanceof Error ? current.message || current.name : "the connection failed";
};

/** The same promise, with its rejection marked as a fault of the network. */
export const orNetworkFault = async <T>(host: string, call: Promise<T>): Promise<T> =>
  call.catch((cause: unknown) => {
    throw new NetworkFault(host, cause);
  });

const hostOf = (input: RequestInfo | URL): string => {
  const href = typeof input === "string" ? input : input instanceof URL ? input.href : input.url;
  return URL.canParse(href) ? new URL(href).host : "the server";
};

/** A fetch whose rejections say that the network failed; so nothing else is ever taken for a network failure. */
export const networkFetcher =
  (fetcher: typeof fetch): typeof fetch =>
  async (input, init) =>
    orNetworkFault(hostOf(input), fetcher(input, init));
