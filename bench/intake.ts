import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Api } from "../src/local/api.ts";
import { startProcess } from "../src/local/crash/server-process.ts";
import { type Delivery, githubDelivery } from "../src/local/demo/delivery.ts";
import { freePort } from "../src/local/port.ts";
import { quantile, rounded } from "./statistics.ts";

// Signed deliveries of GitHub to the local server as it is, over connections that stay open.

const CONNECTIONS = 32;
const DELIVERIES = 1_000;
const WARM_UP = 200;

/** How long all runs of a figure may take before the next one is measured. */
const SETTLE_MS = 120_000;

const WORKFLOW = "bench-intake";

interface Subject {
  readonly figure: string;
  readonly triggers: number;
  /** Whether events start runs; others are stored and skipped, which is intake alone. */
  readonly handled: boolean;
  /** How many objects each trigger has. */
  readonly shards?: number;
  /** Deliveries under way at the same time; `CONNECTIONS` unless told otherwise. */
  readonly connections?: number;
}

const SUBJECTS: readonly Subject[] = [
  { figure: "intake, one delivery at a time", triggers: 1, handled: true, connections: 1 },
  { figure: "intake, one trigger", triggers: 1, handled: true },
  { figure: "intake, 16 triggers", triggers: 16, handled: true },
  { figure: "intake, one trigger in 4 objects", triggers: 1, handled: true, shards: 4 },
  { figure: "intake, one trigger in 16 objects", triggers: 1, handled: true, shards: 16 },
  { figure: "intake alone, one trigger", triggers: 1, handled: false },
  { figure: "intake alone, 16 triggers", triggers: 16, handled: false },
  { figure: "intake alone, one trigger in 4 objects", triggers: 1, handled: false, shards: 4 },
  { figure: "intake alone, one trigger in 16 objects", triggers: 1, handled: false, shards: 16 },
];

interface Answered {
  readonly status: number;
  readonly took_ms: number;
  readonly event_id: string;
}

const post = (agent: Agent, url: string, { body, headers }: Delivery): Promise<Answered> => {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: "POST", agent, headers: { ...headers, "content-length": body.length } });
    sent.on("error", reject);
    sent.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => void chunks.push(chunk));
      response.on("end", () => {
        const took_ms = performance.now() - started;
        const { event_id = "" } = JSON.parse(Buffer.concat(chunks).toString()) as { readonly event_id?: string };
        resolve({ status: response.statusCode ?? 0, took_ms, event_id });
      });
    });
    sent.end(body);
  });
};

const register = async (
  api: Api,
  { triggers, handled, shards = 1 }: Subject,
  secret: string,
): Promise<readonly string[]> => {
  const names = Array.from({ length: triggers }, () => `bench-${randomUUID()}`);
  const match = { events: [handled ? "issues" : "push"] };
  for (const name of names)
    await api.put(`/v1/triggers/${name}`, {
      provider: "github",
      secret,
      match,
      handler: { workflow: WORKFLOW },
      shards,
    });
  return names.map((name) => `${api.url}/hooks/${name}`);
};

const deliverAll = async (
  hooks: readonly string[],
  deliveries: readonly Delivery[],
  connections: number,
): Promise<readonly Answered[]> => {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const answers: Answered[] = [];
  let next = 0;
  const sender = async (): Promise<void> => {
    for (let index = next++; index < deliveries.length; index = next++)
      answers.push(await post(agent, hooks[index % hooks.length] ?? "", deliveries[index] as Delivery));
  };
  await Promise.all(Array.from({ length: connections }, sender));
  agent.destroy();
  const refused = answers.find(({ status }) => status >= 300);
  if (refused !== undefined) throw new Error(`a delivery was answered ${refused.status}`);
  return answers;
};

/** Waits until the events are over, so that their runs are not in the way of what is measured next. */
const settled = async (api: Api, answers: readonly Answered[]): Promise<void> => {
  const deadline = Date.now() + SETTLE_MS;
  for (const { event_id } of answers.slice(-CONNECTIONS)) {
    for (let status = ""; status !== "dispatched" && status !== "skipped";) {
      if (Date.now() > deadline) throw new Error(`event ${event_id} is ${status}`);
      status = (await api.look<{ readonly status: string }>(`/v1/events/${event_id}`))?.status ?? "";
      await sleep(50);
    }
  }
};

const made = (count: number, secret: string): readonly Delivery[] =>
  Array.from({ length: count }, (_, number) =>
    githubDelivery("issues", JSON.stringify({ action: "opened", issue: { number, title: "It fails" } }), secret),
  );

/** Deliveries a second and the time of an answer; one line for each subject. */
export const benchIntake = async (print: (line: Readonly<Record<string, unknown>>) => void): Promise<void> => {
  const state = mkdtempSync(join(tmpdir(), "godwit-bench-"));
  const key = `gwroot_${randomBytes(32).toString("base64url")}`;
  const server = await startProcess({ state, port: await freePort("127.0.0.1"), key, variables: {} });
  try {
    const { api } = server;
    const graph = { entry: "keep", nodes: { keep: { kind: "stage", mode: "function", function: "echo" } }, edges: [] };
    await api.client.defineWorkflow(WORKFLOW, graph);
    for (const subject of SUBJECTS) {
      const { figure, connections = CONNECTIONS } = subject;
      const secret = randomUUID();
      const hooks = await register(api, subject, secret);
      await settled(api, await deliverAll(hooks, made(WARM_UP, secret), connections));
      const deliveries = made(DELIVERIES, secret);
      const started = performance.now();
      const answers = await deliverAll(hooks, deliveries, connections);
      const seconds = (performance.now() - started) / 1_000;
      const times = answers.map(({ took_ms }) => took_ms);
      const common = { deliveries: DELIVERIES, connections };
      print({ figure, unit: "deliveries/s", value: rounded(DELIVERIES / seconds), ...common });
      print({ figure: `${figure}, answer p50`, unit: "ms", value: rounded(quantile(times, 0.5)), ...common });
      print({ figure: `${figure}, answer p99`, unit: "ms", value: rounded(quantile(times, 0.99)), ...common });
      await settled(api, answers);
    }
  } finally {
    await server.stop();
    rmSync(state, { recursive: true, force: true, maxRetries: 5 });
  }
};
