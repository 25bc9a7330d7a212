import { env } from "cloudflare:workers";
import { vi } from "vitest";
import type { TriggerObject } from "../../src/http/trigger-object.ts";
import type { EventView } from "../../src/schema/trigger-event.ts";
import type { Receipt, TriggerReport } from "../../src/schema/trigger.ts";
import { get, post, ROOT_KEY, send } from "./http-setup.ts";

export const SECRET = "It's a Secret to Everybody";

const encoder = new TextEncoder();

/** The HMAC-SHA-256 of bytes in hexadecimal. */
export const hmac = async (body: string | Uint8Array, secret = SECRET): Promise<string> => {
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes));
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join("");
};

interface GithubDelivery {
  readonly body: string | Uint8Array;
  readonly id?: string;
  readonly event?: string;
  readonly secret?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly settings?: Readonly<Record<string, string>>;
}

/** Delivers as GitHub does. */
export const deliver = async (path: string, delivery: GithubDelivery): Promise<Response> => {
  const { body, id = crypto.randomUUID(), event = "issues", secret = SECRET, headers = {}, settings = {} } = delivery;
  const signature = await hmac(body, secret);
  return send(
    path,
    {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/0aa3f9e",
        "X-GitHub-Delivery": id,
        "X-GitHub-Event": event,
        "X-Hub-Signature-256": `sha256=${signature}`,
        ...headers,
      },
      body,
    },
    settings,
  );
};

/** Delivers and reads the receipt. */
export const accepted = async (path: string, delivery: GithubDelivery): Promise<Receipt> => {
  const response = await deliver(path, delivery);
  const text = await response.text();
  if (response.status !== 202) throw new Error(`${response.status}: ${text}`);
  return JSON.parse(text) as Receipt;
};

/** Puts a trigger of the default tenant, or of another one. */
export const put = (
  id: string,
  change: Readonly<Record<string, unknown>> = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> =>
  send(`/v1/triggers/${id}`, {
    method: "PUT",
    headers: { Authorization: `Bearer ${ROOT_KEY}`, "Content-Type": "application/json", ...headers },
    body: JSON.stringify({
      provider: "github",
      secret: SECRET,
      match: { events: ["issues.opened"] },
      handler: { workflow: "triage" },
      ...change,
    }),
  });

/** Defines a workflow of one function stage, or another one. */
export const defineWorkflow = async (id = "triage", node: object = {}): Promise<void> => {
  const stage = { kind: "stage", mode: "function", function: "echo", ...node };
  const graph = { _type: "workflow_graph", entry: "only", nodes: { only: stage }, edges: [] };
  const response = await send(`/v1/workflows/${id}`, {
    method: "PUT",
    headers: { Authorization: `Bearer ${ROOT_KEY}`, "Content-Type": "application/json" },
    body: JSON.stringify({ graph }),
  });
  if (response.status !== 200) throw new Error(await response.text());
};

/** A trigger as the API shows it. */
export const shown = async (id: string): Promise<TriggerReport> =>
  (await (await get(`/v1/triggers/${id}`)).json()) as TriggerReport;

/** Waits for an event to be in a state, as the API shows it. */
export const eventIn = (eventId: string, status: EventView["status"]): Promise<EventView> =>
  vi.waitUntil(
    async () => {
      const response = await get(`/v1/events/${eventId}`);
      const event = (await response.json()) as EventView;
      return response.status === 200 && event.status === status ? event : false;
    },
    { timeout: 10_000, interval: 20 },
  );

/** Waits for a run to end and reads what the API shows of it. */
export const endedRun = (runId: string): Promise<Record<string, unknown>> =>
  vi.waitUntil(
    async () => {
      const response = await get(`/v1/runs/${runId}`);
      const run = (await response.json()) as Record<string, unknown>;
      return response.status === 200 && run["status"] !== "running" ? run : false;
    },
    { timeout: 10_000, interval: 20 },
  );

/** A stub of a trigger's object. */
export const objectOf = (id: string): DurableObjectStub & TriggerObject =>
  env.TRIGGER.getByName(`default/${id}`) as unknown as DurableObjectStub & TriggerObject;

export { get, post };

/** The body of a delivery that GitHub sent when an issue was opened, as documented, without most of its links. */
export const ISSUE_OPENED = JSON.stringify({
  action: "opened",
  issue: {
    url: "https://api.github.com/repos/octo-org/octo-repo/issues/1347",
    repository_url: "https://api.github.com/repos/octo-org/octo-repo",
    html_url: "https://github.com/octo-org/octo-repo/issues/1347",
    id: 73464126,
    node_id: "MDU6SXNzdWU3MzQ2NDEyNg==",
    number: 1347,
    title: "Spelling error in the README file",
    user: { login: "octocat", id: 21031067, type: "User", site_admin: false },
    labels: [{ id: 208045946, node_id: "MDU6TGFiZWwyMDgwNDU5NDY=", name: "bug", color: "fc2929", default: true }],
    state: "open",
    locked: false,
    assignee: null,
    milestone: null,
    comments: 0,
    created_at: "2026-05-15T15:20:18Z",
    updated_at: "2026-05-15T15:20:18Z",
    closed_at: null,
    author_association: "OWNER",
    body: "It looks like you accidentally spelled 'commit' with two 't's. 🙂 {{secret.TOKEN}} {{task}}",
    reactions: { total_count: 0, "+1": 0, "-1": 0 },
  },
  repository: {
    id: 135493233,
    name: "octo-repo",
    full_name: "octo-org/octo-repo",
    private: false,
    owner: { login: "octo-org", id: 21031067, type: "Organization" },
    default_branch: "main",
  },
  organization: { login: "octo-org", id: 6811672 },
  sender: { login: "octocat", id: 21031067, type: "User", site_admin: false },
  installation: { id: 42, node_id: "MDIzOkludGVncmF0aW9uSW5zdGFsbGF0aW9uNDI=" },
});
