import { join } from "node:path";
import { Log as RuntimeLog, LogLevel, Miniflare, convertV4MiniflareOptions, type V4MiniflareOptions } from "miniflare";
import { unstable_getMiniflareWorkerOptions, unstable_readConfig } from "wrangler";
import type { Bundles } from "./bundle.ts";
import type { ControlRequest } from "./control/message.ts";
import { type Log, levelOf } from "./log.ts";
import type { ObjectClass } from "./recovery.ts";
import type { LocalSettings } from "./settings.ts";

/** The server's own Worker, which nobody reaches from outside. */
const CONTROL = "godwit-local";

/** What wrangler.toml says, as far as the local server needs it. */
export interface Project {
  readonly name: string;
  readonly classes: readonly ObjectClass[];
  readonly options: WorkerOptions;
}

/** The bindings and settings of the Worker; those that are read here have their types, the others only pass through. */
interface WorkerOptions {
  readonly compatibilityDate?: string;
  readonly bindings?: Readonly<Record<string, unknown>>;
  readonly d1Databases?: unknown;
  readonly durableObjects?: Readonly<Record<string, string | { readonly className: string }>>;
  readonly modulesRules?: unknown;
}

/** Reads wrangler.toml, so that the local server has the bindings of the deployment. */
export const readProject = (root: string): Project => {
  // Otherwise a `.env` of the folder, made for other programs, would become bindings of the Worker.
  process.env["CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV"] ??= "false";
  // It would print a line for each file it reads.
  process.env["WRANGLER_LOG"] ??= "error";
  const config = join(root, "wrangler.toml");
  const { name } = unstable_readConfig({ config });
  const options = unstable_getMiniflareWorkerOptions(config).workerOptions as WorkerOptions;
  if (name === undefined) throw new Error("wrangler.toml needs `name`");
  const classes = Object.entries(options.durableObjects ?? {}).map(([binding, object]) => ({
    binding,
    className: typeof object === "string" ? object : object.className,
  }));
  return { name, classes, options };
};

/** The addresses of machine code that the runtime adds to its own faults, which tell nobody here anything. */
const RUNTIME_STACK = /\s*\bstack: \S*workerd@[^]*$/;

/** The runtime's own messages, as lines of the server's log. */
class ForwardedLog extends RuntimeLog {
  readonly #log: Log;

  constructor(log: Log) {
    super(LogLevel.WARN);
    this.#log = log;
  }

  override logWithLevel(level: LogLevel, message: string): void {
    if (level <= LogLevel.WARN)
      this.#log.write(level === LogLevel.WARN ? "warn" : "error", message, { from: "runtime" });
  }
}

type Workers = Extract<V4MiniflareOptions, { workers: unknown }>["workers"];

type Worker = NonNullable<Workers>[number];

const controlOf = ({ options }: Project, root: string, script: string): Worker => {
  const { compatibilityDate, d1Databases } = options;
  return {
    name: CONTROL,
    ...(compatibilityDate === undefined ? {} : { compatibilityDate }),
    ...(d1Databases === undefined ? {} : { d1Databases }),
    modulesRoot: root,
    modules: [{ type: "ESModule" as const, path: join(root, "control.js"), contents: script }],
  } as Worker;
};

const workersOf = (project: Project, settings: LocalSettings, bundles: Bundles): Workers => {
  // Rules for files beside the bundle; there are none.
  const { modulesRules: _rules, ...options } = project.options;
  const objects = project.classes.map(({ binding, className }) => [binding, { className, scriptName: project.name }]);
  return [
    {
      ...options,
      name: project.name,
      // These queues live in memory: what they carry is gone with the process, and the Worker has to know.
      bindings: { ...options.bindings, ...settings.vars, GODWIT_QUEUES: "memory" },
      modulesRoot: settings.root,
      modules: [{ type: "ESModule" as const, path: join(settings.root, "worker.js"), contents: bundles.worker }],
    },
    { ...controlOf(project, settings.root, bundles.control), durableObjects: Object.fromEntries(objects) },
  ] as Workers;
};

/** What a runtime is started with. */
export interface RuntimeParts {
  readonly project: Project;
  readonly settings: LocalSettings;
  readonly bundles: Bundles;
  readonly log: Log;
  /** Called when the runtime had crashed and runs again. */
  readonly onRestart: () => Promise<void>;
}

/** A runtime that serves the engine. */
export interface Runtime {
  readonly url: string;
  readonly ask: <Reply>(request: ControlRequest) => Promise<Reply>;
  readonly runScheduled: (scheduledTime: Date, cron: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

const sharedOptions = (settings: LocalSettings, log: Log) => ({
  cf: false as const,
  log: new ForwardedLog(log),
  logRequests: false,
  enableDevRegistry: false,
  telemetry: { enabled: false },
  handleStructuredLogs: ({ level, message }: { readonly level: string; readonly message: string }) =>
    log.write(levelOf(level), message.replace(RUNTIME_STACK, ""), { from: "worker" }),
  resourcePersistencePath: join(settings.state, "v3"),
});

const askOf =
  (miniflare: Miniflare): Runtime["ask"] =>
  async (request) => {
    const control = await miniflare.getWorker(CONTROL);
    const response = await control.fetch("http://local/", { method: "POST", body: JSON.stringify(request) });
    if (!response.ok)
      throw new Error(`the local server's Worker answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as never;
  };

/** Lets somebody ask the server's own Worker alone, before anything is served; nobody reaches it from outside. */
export const withControl = async (
  { project, settings, bundles, log }: Omit<RuntimeParts, "onRestart">,
  use: (ask: Runtime["ask"]) => Promise<void>,
): Promise<void> => {
  const workers = [controlOf(project, settings.root, bundles.control)] as Workers;
  const options = { workers, host: "127.0.0.1", port: 0, ...sharedOptions(settings, log) };
  const miniflare = new Miniflare(convertV4MiniflareOptions(options));
  try {
    await miniflare.ready;
    await use(askOf(miniflare));
  } finally {
    await miniflare.dispose();
  }
};

/** Starts the runtime through its own API, without a proxy in front of it. */
export const startRuntime = async ({ project, settings, bundles, log, onRestart }: RuntimeParts): Promise<Runtime> => {
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      workers: workersOf(project, settings, bundles),
      host: settings.host,
      port: settings.port,
      unsafeHandleRuntimeRestart: onRestart,
      ...sharedOptions(settings, log),
    }),
  );
  const url = (await miniflare.ready).origin;
  return {
    url,
    ask: askOf(miniflare),
    runScheduled: async (scheduledTime, cron) => {
      const worker = await miniflare.getWorker(project.name);
      await worker.scheduled({ scheduledTime, cron });
    },
    stop: () => miniflare.dispose(),
  };
};
