import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";

/** The benchmark's Worker on the Miniflare API, with its state in a directory that is gone afterwards. */
export interface BenchServer {
  readonly get: (path: string) => Promise<unknown>;
  readonly close: () => Promise<void>;
}

/** Bundles and starts the benchmark's Worker. */
export const startServer = async (): Promise<BenchServer> => {
  const here = import.meta.dirname;
  const state = await mkdtemp(join(tmpdir(), "godwit-bench-"));
  const outfile = join(state, "bundle", "worker.js");
  await build({
    entryPoints: [join(here, "worker.ts")],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    outfile,
    logLevel: "error",
  });
  const { workerOptions } = unstable_getMiniflareWorkerOptions(join(here, "wrangler.toml"));
  const { modulesRules: _, ...options } = workerOptions;
  const miniflare = new Miniflare({
    ...convertV4MiniflareOptions({
      ...options,
      name: "godwit-bench",
      modules: true,
      modulesRoot: join(state, "bundle"),
      scriptPath: outfile,
    }),
    host: "127.0.0.1",
    port: 0,
    cf: false,
    log: new Log(LogLevel.WARN),
    logRequests: false,
    enableDevRegistry: false,
    resourcePersistencePath: join(state, "state"),
  } as ConstructorParameters<typeof Miniflare>[0]);
  const origin = await miniflare.ready;
  return {
    get: async (path) => {
      const response = await fetch(new URL(path, origin));
      if (response.status !== 200)
        throw new Error(`${path}: ${response.status} ${(await response.text()).slice(0, 500)}`);
      return response.json();
    },
    close: async () => {
      await miniflare.dispose();
      await rm(state, { recursive: true, force: true });
    },
  };
};
