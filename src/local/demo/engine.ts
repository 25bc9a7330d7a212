import { isFree } from "../port.ts";
import type { Log } from "../log.ts";
import { type LocalServer, startServer } from "../server.ts";
import { type Environment, type LocalSettings, readSettings } from "../settings.ts";

/** The engine of the demo and what it was started with. */
export interface DemoEngine {
  readonly server: LocalServer;
  readonly settings: LocalSettings;
  /** Set when the usual port was taken. */
  readonly busy_port: number | null;
}

/** Starts the engine with a state of the demo's own, on the usual port or, when that is taken, on a free one. */
export const startEngine = async (root: string, environment: Environment, log: Log): Promise<DemoEngine> => {
  const state = environment["GODWIT_STATE"] || ".wrangler/demo-state";
  const settings = readSettings(root, { ...environment, GODWIT_STATE: state });
  const isChosen = Boolean(environment["PORT"]);
  const isTaken = !isChosen && !(await isFree(settings.host, settings.port));
  const used = isTaken ? { ...settings, port: 0 } : settings;
  return { server: await startServer(used, log), settings: used, busy_port: isTaken ? settings.port : null };
};

/** The first setting that gives stages a real model, or null when there is none. */
export const realModel = ({ vars }: LocalSettings): string | null =>
  ["GODWIT_DEFAULT_PROVIDER", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GODWIT_MODEL_URL"].find((name) => vars[name]) ??
  null;
