import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { issueTriage } from "../../../examples/issue-triage.ts";
import type { Json } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import { dispatchIdFor, runIdFor } from "../../engine/trigger/dispatch.ts";
import type { TriggerView } from "../../schema/trigger.ts";
import type { EventView } from "../../schema/trigger-event.ts";
import { type Api, openApi } from "../api.ts";
import { createLog } from "../log.ts";
import { endWith, LocalProblem } from "../problem.ts";
import { dashboardOf, shown } from "../server.ts";
import { stopOnSignal, stopWithin } from "../stopping.ts";
import { type Delivered, deliver, githubDelivery } from "./delivery.ts";
import { type DemoEngine, realModel, startEngine } from "./engine.ts";
import { demoReport, type Outcome, showNext, showOutcome } from "./outcome.ts";
import { duration, size } from "./paint.ts";
import { ProgressReader } from "./progress.ts";
import { darkScreen, openScreen, type Screen } from "./screen.ts";

const ROOT = join(import.meta.dirname, "../../..");

/** The example: the workflow, and the trigger of the same name. */
const WORKFLOW = issueTriage.id;
const WORKFLOW_FILE = join(ROOT, "examples/issue-triage.ts");
const PAYLOAD_FILE = join(ROOT, "examples/github-issues-opened.json");

const HELP = `npm run demo [-- --keep] [-- --json]

Starts the engine, registers the example workflow and a GitHub trigger, delivers a signed webhook twice, follows the run
and shows what came of it. Needs nothing but this machine; with OPENAI_API_KEY, ANTHROPIC_API_KEY or GODWIT_MODEL_URL
the answers come from a real model.

  --keep   keep serving afterwards
  --json   print one JSON object at the end and nothing else
  --help   this text`;

/** How long a run may take; a real model takes a while. */
const PATIENCE_MS = 300_000;

const showEngine = (screen: Screen, { server, settings, busy_port: busy }: DemoEngine): void => {
  const { paint } = screen;
  const note = busy === null ? "" : paint("yellow", `  (port ${busy} is taken)`);
  screen.line();
  screen.line(`${paint("bold", "Godwit demo")}: a GitHub issue is triaged by a durable workflow`);
  screen.line();
  screen.fact("engine", `${server.url}  ${paint("dim", `started in ${duration(server.started_in_ms)}`)}${note}`);
  screen.fact("state", shown(ROOT, settings.state));
  const model = realModel(settings);
  screen.fact(
    "model",
    model === null
      ? `${paint("yellow", "scripted")}: the answers stand in the example, no model is called`
      : `chosen by ${model}`,
  );
  if (model === null) {
    screen.fact("", paint("dim", "set OPENAI_API_KEY, ANTHROPIC_API_KEY or GODWIT_MODEL_URL for a real one"));
  }
};

/** Registers the workflow and the trigger. */
const register = async (api: Api, screen: Screen, secret: string, isScripted: boolean): Promise<void> => {
  const { version } = await api.client.defineWorkflow(WORKFLOW, issueTriage);
  screen.fact("workflow", `${WORKFLOW}, version ${version}  ${screen.paint("dim", relative(ROOT, WORKFLOW_FILE))}`);
  await api.put(`/v1/triggers/${WORKFLOW}`, {
    provider: "github",
    secret,
    match: { events: ["issues.opened"] },
    handler: {
      workflow: WORKFLOW,
      task: "Triage issue #{{trigger_event.provider_payload.issue.number}}, which has just been opened.",
      ...(isScripted ? { options: { provider: "scripted" } } : {}),
    },
  });
  screen.fact("trigger", `POST ${api.url}/hooks/${WORKFLOW}  ${screen.paint("dim", "issues.opened, HMAC-SHA256")}`);
};

/** Delivers the same webhook twice, as GitHub does when an answer got lost. */
const deliverTwice = async (api: Api, screen: Screen, secret: string): Promise<Delivered> => {
  const { paint } = screen;
  const body = readFileSync(PAYLOAD_FILE, "utf8");
  const { issue } = JSON.parse(body) as { readonly issue: { readonly number: number; readonly title: string } };
  const delivery = githubDelivery("issues", body, secret);
  const signature = `${delivery.headers["X-Hub-Signature-256"]?.slice(0, 19) ?? ""}…`;
  screen.line();
  screen.line(`${paint("bold", "Webhook")}  issues.opened, #${issue.number} "${issue.title}"`);
  screen.line();
  const hook = `${api.url}/hooks/${WORKFLOW}`;
  const first = await deliver(hook, delivery);
  const { receipt, duplicate } = first.receipt;
  const sent = paint("dim", `${size(Buffer.byteLength(body))}, X-Hub-Signature-256 ${signature}`);
  screen.fact("sent", `${first.status} in ${duration(first.took_ms)}, ${receipt}  ${sent}`);
  if (duplicate) throw new LocalProblem("A delivery with a new id was taken for a duplicate.");
  const second = await deliver(hook, delivery);
  const same = second.receipt.duplicate && second.receipt.receipt === receipt;
  const verdict = same ? paint("green", "the same receipt, nothing is done twice") : paint("red", "another receipt");
  screen.fact("sent again", `${second.status} in ${duration(second.took_ms)}, ${verdict}`);
  if (!same) throw new LocalProblem("The second delivery of the same event did not get the receipt of the first.");
  return first;
};

/**
 * The run of an event, as soon as it exists. Its id follows from the event's, so the run can be followed from its first
 * moment on; `GET /v1/events/{event_id}` names it too, a second later.
 */
const runOf = async (api: Api, eventId: string): Promise<string> => {
  const trigger = await api.get<TriggerView>(`/v1/triggers/${WORKFLOW}`);
  const runId = runIdFor(dispatchIdFor(trigger, eventId));
  for (const deadline = Date.now() + 15_000; Date.now() < deadline; await sleep(5)) {
    if ((await api.look(`/v1/runs/${runId}/events?limit=1`)) !== null) return runId;
  }
  throw new LocalProblem(`Event ${eventId} has started no run for 15 s. Look at GET /v1/events/${eventId}.`);
};

const follow = async (api: Api, screen: Screen, runId: string, origin: number): Promise<ProgressReader> => {
  const reader = new ProgressReader();
  screen.line();
  screen.line(`${screen.paint("bold", "Run")}  ${runId}`);
  screen.line();
  screen.stages();
  for await (const event of api.client.events(runId, { signal: AbortSignal.timeout(PATIENCE_MS) })) {
    screen.show(reader.read(event), origin);
    // What ends a run is the last thing that happens to it; what the run waits for could take for ever.
    if (reader.progress.status !== null) break;
  }
  return reader;
};

/** How many runs the event started, as the event itself tells; it is found by its id a moment after it was accepted. */
const runCount = async (api: Api, eventId: string): Promise<number> => {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; await sleep(50)) {
    const event = await api.look<EventView>(`/v1/events/${eventId}`);
    if (event !== null) return event.runs.length;
  }
  throw new LocalProblem(`GET /v1/events/${eventId} does not find the event.`);
};

const commentIn = (artifacts: readonly Json[]): string | null =>
  (artifacts as unknown as readonly ArtifactRecord[]).findLast(({ kind }) => kind === "comment")?.text ?? null;

const play = async (engine: DemoEngine, screen: Screen, secret: string): Promise<Outcome> => {
  const api = openApi(engine.server.url, engine.settings.rootKey.value);
  showEngine(screen, engine);
  await register(api, screen, secret, realModel(engine.settings) === null);
  const delivered = await deliverTwice(api, screen, secret);
  const { event_id: eventId, receipt } = delivered.receipt;
  const runId = await runOf(api, eventId);
  const { progress } = await follow(api, screen, runId, delivered.sent_at_ms);
  const { items } = await api.client.listPart(runId, "artifacts", { limit: 100 });
  return {
    url: api.url,
    dashboard: dashboardOf(ROOT, api.url),
    model: realModel(engine.settings) ?? "scripted",
    run_id: runId,
    event_id: eventId,
    receipt,
    runs: await runCount(api, eventId),
    sent_at_ms: delivered.sent_at_ms,
    answered_in_ms: delivered.took_ms,
    progress,
    comment: commentIn(items),
  };
};

const readArguments = () => {
  try {
    const flag = { type: "boolean", default: false } as const;
    return parseArgs({ options: { keep: flag, json: flag, help: flag } }).values;
  } catch (error) {
    throw new LocalProblem(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
  }
};

const demo = async (): Promise<void> => {
  const { keep, json, help } = readArguments();
  if (help) return console.log(HELP);
  const screen = json ? darkScreen() : openScreen(process.stdout, process.env);
  const log = createLog({ json: false, level: "warn", out: (line) => console.error(line) });
  const engine = await startEngine(ROOT, process.env, log);
  stopOnSignal(engine.server.stop, () => screen.line("\nStopping."));
  const secret = randomBytes(24).toString("hex");
  const outcome = await play(engine, screen, secret);
  const isRight = showOutcome(screen, outcome);
  showNext(screen, { outcome, keep, secret, root_key: engine.settings.rootKey.origin });
  if (json) console.log(JSON.stringify(demoReport(outcome, engine.server.started_in_ms)));
  if (keep && isRight) return;
  await stopWithin(engine.server.stop);
  process.exit(isRight ? 0 : 1);
};

await demo().catch(endWith);
