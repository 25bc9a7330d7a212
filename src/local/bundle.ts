import { join } from "node:path";
import { build, type OutputFile, stop } from "esbuild";
import { LocalProblem } from "./problem.ts";

/** The Workers that the local server runs, each as one module. */
export interface Bundles {
  readonly worker: string;
  readonly control: string;
}

const textOf = (files: readonly OutputFile[], name: string): string => {
  const file = files.find(({ path }) => path.endsWith(`${name}.js`));
  if (file === undefined) throw new Error(`the build made no ${name}`);
  return file.text;
};

/** Builds the Worker, with the settings of `wrangler deploy` that change what code runs, and the server's own Worker. */
export const buildBundles = async (root: string): Promise<Bundles> => {
  const result = await build({
    absWorkingDir: root,
    entryPoints: { worker: "src/index.ts", control: join(import.meta.dirname, "control/worker.ts") },
    outdir: "dist/local",
    // In memory: two servers that start at the same time must not read each other's half-written files.
    write: false,
    bundle: true,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    loader: { ".sql": "text", ".txt": "text", ".html": "text" },
    define: { "process.env.NODE_ENV": '"production"' },
    keepNames: true,
    sourcemap: "inline",
    sourcesContent: false,
    logLevel: "silent",
  }).catch((error: unknown) => {
    throw new LocalProblem(`The Worker cannot be built. ${error instanceof Error ? error.message : String(error)}`);
  });
  // It would stay beside the server, with all it has read, for a build that never comes.
  await stop();
  return { worker: textOf(result.outputFiles, "worker"), control: textOf(result.outputFiles, "control") };
};
