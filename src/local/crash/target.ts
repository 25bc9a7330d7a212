import { createServer, type IncomingMessage } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

/** A call that a stage made. */
export interface TargetCall {
  readonly node: string;
  /** The same for every attempt of a stage. */
  readonly key: string;
  readonly at_ms: number;
}

/** A service of the test's own, which notes every call. */
export interface Target {
  /** `127.0.0.1:<port>`. */
  readonly host: string;
  readonly calls: readonly TargetCall[];
  /** Resolves when so many calls have come in. */
  readonly reached: (count: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

const nodeOf = (request: IncomingMessage): string => (request.url ?? "").split("/").at(-1) ?? "";

/** Opens a service on a free port of this machine; each answer takes as long as told. */
export const openTarget = async (delayMs: number): Promise<Target> => {
  const calls: TargetCall[] = [];
  const waiting = new Set<{ readonly count: number; readonly resolve: () => void }>();
  const server = createServer((request, response) => {
    calls.push({ node: nodeOf(request), key: String(request.headers["idempotency-key"]), at_ms: Date.now() });
    for (const waiter of waiting) {
      if (calls.length < waiter.count) continue;
      waiting.delete(waiter);
      waiter.resolve();
    }
    setTimeout(() => response.end(`done ${nodeOf(request)}`), delayMs);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    calls,
    reached: (count) =>
      calls.length >= count ? Promise.resolve() : new Promise((resolve) => void waiting.add({ count, resolve })),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
};
