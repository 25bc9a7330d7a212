import { hostname } from "node:os";
import type { Command, Terminal } from "../command.ts";
import { inheritedEnvironment } from "../environment.ts";
import { createLog, type Log } from "../log.ts";
import { redactionOf } from "../redaction.ts";
import { onEnding } from "../signals.ts";
import { RUNNER_HELP } from "./help.ts";
import type { Workshop } from "./job.ts";
import { readOptions, type RunnerSettings } from "./options.ts";
import { Runner } from "./runner.ts";
import { QueueServer } from "./server.ts";
import { Trees } from "./worktree.ts";

/** Between SIGTERM and SIGKILL for a command that took too long. */
const KILL_AFTER_MS = 5_000;

const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/;

const warnOfPlainText = ({ url }: RunnerSettings, log: Log): void => {
  const { protocol, hostname: host } = new URL(url);
  if (protocol === "http:" && !LOOPBACK.test(host))
    log("warn", "the key is sent without encryption: use https", { url });
};

const workshopOf = (settings: RunnerSettings, { environment }: Terminal): Workshop => {
  const env = inheritedEnvironment(environment, settings.pass_env, settings.key);
  const { allowed, places, max_output_bytes } = settings;
  const secret = redactionOf(settings.key);
  return { allowed, places, trees: new Trees(env), env, max_output_bytes, kill_after_ms: KILL_AFTER_MS, secret };
};

const serve = async (settings: RunnerSettings, terminal: Terminal): Promise<number> => {
  const workshop = workshopOf(settings, terminal);
  const log = createLog({ json: settings.json, out: terminal.out, hide: workshop.secret.hide });
  warnOfPlainText(settings, log);
  const { queue, url, concurrency, grace_ms, once } = settings;
  const consumer_id = settings.name ?? `${hostname()}-pid${process.pid}`;
  const server = new QueueServer({ ...settings, consumer_id, log });
  const runner = new Runner({ server, workshop, log, concurrency, grace_ms, once });
  const silence = onEnding({
    gently: (why) => {
      log("info", "stopping", { why });
      runner.stop();
    },
    atOnce: () => {
      log("warn", "ending the jobs that run");
      runner.end();
    },
  });
  log("info", "claiming jobs", { queue, url, consumer_id, workdir: workshop.places.workdir });
  try {
    await runner.run();
  } finally {
    silence();
  }
  log("info", "stopped");
  return 0;
};

/** `godwit runner`: executes the commands of a work queue on this machine. */
export const runnerCommand: Command = {
  name: "runner",
  summary: "execute the commands of a work queue on this machine",
  help: RUNNER_HELP,
  run: async (args, terminal) => {
    const settings = readOptions(args, terminal.folder, terminal.environment);
    if (settings === null) {
      terminal.out(RUNNER_HELP);
      return 0;
    }
    return serve(settings, terminal);
  },
};
