import { beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/lib/json.ts";
import { get, migrateDatabase, post, ROOT_KEY, send } from "./http-setup.ts";
import { answered, startRun, waitingRun } from "./run-setup.ts";
import { says, spawned, workerNow, workerWith } from "./worker-setup.ts";

beforeAll(migrateDatabase);

const TASK: JsonObject = { task: "Work", node: says("done") };

interface Refused {
  readonly status: number;
  readonly paths: readonly string[];
  readonly text: string;
}

/** What a request was refused with, and the fields that the refusal names. */
const refusedWith = async (response: Response): Promise<Refused> => {
  const text = await response.text();
  const { details } = JSON.parse(text) as { details?: { issues?: readonly { readonly path: string }[] } };
  return { status: response.status, paths: (details?.issues ?? []).map(({ path }) => path), text };
};

const spawnRefused = async (config: JsonObject): Promise<Refused> => refusedWith(await post("/v1/workers", config));

const snapshotOf = async (id: string): Promise<JsonObject> =>
  (await (await get(`/v1/workers/${id}/snapshot`)).json()) as JsonObject;

/** A snapshot of a workflow that has ended, under an id of its own. */
const ended = async (changes: JsonObject): Promise<JsonObject> => {
  const graph = { entry: "act", nodes: { act: says("one") }, edges: [] };
  const id = String((await spawned({ task: "Write", graph }))["id"]);
  await workerWith(id, "completed");
  return { ...(await snapshotOf(id)), id: `worker_${crypto.randomUUID()}`, ...changes };
};

describe("a spawn config that is wrong", () => {
  it.each<readonly [string, JsonObject]>([
    ["policy.tools[0]", { policy: { tools: [1] } }],
    ["carry.transcript_mode", { carry: { transcript_mode: "odd" } }],
    ["execution.cwd", { execution: { cwd: {} } }],
    ["node.kind", { node: { kind: [] } }],
    ["options.resume_when.timeout", { options: { resume_when: { timeout: 1 } } }],
    ["webhook.url", { webhook: { url: "http://127.0.0.1/" } }],
    ["webhook.url", { webhook: { url: "http://[::ffff:10.0.0.1]/" } }],
    ["webhook.url", { webhook: { url: "file:///etc/passwd" } }],
    ["webhook.headers.toString", { webhook: { url: "https://a.example", headers: { toString: 1 } } }],
  ])("[L-2] names %s", async (path, changes) => {
    expect(await spawnRefused({ ...TASK, ...changes })).toMatchObject({ status: 400, paths: [path] });
  });

  it("[L-13.3] with a secret in it is refused, and the secret is not repeated", async () => {
    const url = "https://a.example";
    for (const webhook of [
      { url, secret: "kept-quiet" },
      { url, headers: { Authorization: "kept-quiet" } },
    ]) {
      const { status, text } = await spawnRefused({ ...TASK, webhook });
      expect(status).toBe(400);
      expect(text).not.toContain("kept-quiet");
    }
    const trigger = { provider: "github", kind: "push", secret: "kept-quiet" };
    const { status, text } = await spawnRefused({ ...TASK, options: { resume_when: { trigger } } });
    expect(status).toBe(400);
    expect(text).not.toContain("kept-quiet");
  });
});

describe("a snapshot that was tampered with", () => {
  it("[L-12.4] whose run has no name goes on with a run of its own", async () => {
    const restored = await answered("/v1/workers/restore", { snapshot: await ended({ child_run_id: "" }) });
    expect(restored).toMatchObject({ status: "completed", child_run_id: null });
    const id = String(restored["id"]);
    await answered(`/v1/workers/${id}/input`, { text: "Write on" });
    const worker = await workerWith(id, "completed");
    expect(worker["child_run_id"]).toEqual(expect.stringMatching(/./));
  });

  it.each<readonly [string, JsonObject]>([
    ["snapshot.child_run_id", { child_run_id: "r".repeat(300_000) }],
    ["snapshot.child_run_id", { child_run_id: "a\u0000b" }],
    ["snapshot.parent_worker_id", { parent_worker_id: "w".repeat(300) }],
    ["snapshot.id", { id: "../other" }],
    ["snapshot", { config: { mode: "__proto__" } }],
  ])("[L-12.4] is refused for %s, and no worker is there", async (path, changes) => {
    const snapshot = await ended(changes);
    const { status, paths } = await refusedWith(await post("/v1/workers/restore", { snapshot }));
    expect({ status, paths }).toEqual({ status: 400, paths: [path] });
    expect((await get(`/v1/workers/${encodeURIComponent(String(snapshot["id"]))}`)).status).toBe(404);
  });
});

describe("a worker that was given much", () => {
  it("[L-13.1] shows its events in pages that can be read", async () => {
    const id = String((await spawned({ ...TASK, name: "n".repeat(450_000), task: "t".repeat(550_000) }))["id"]);
    await workerWith(id, "failed");
    for (let cycle = 0; cycle < 3; cycle += 1) {
      await answered(`/v1/workers/${id}/input`, { text: "x".repeat(550_000) });
      await workerWith(id, "failed");
    }
    const seqs: number[] = [];
    for (let after: number | null = 0; after !== null;) {
      const page = await get(`/v1/workers/${id}/events?after=${after}`);
      expect(page.status).toBe(200);
      const text = await page.text();
      expect(text.length).toBeLessThan(5_000_000);
      const { items, next } = JSON.parse(text) as { items: readonly { seq: number }[]; next: number | null };
      expect(items.length).toBeGreaterThan(0);
      seqs.push(...items.map(({ seq }) => seq));
      after = next;
    }
    expect(seqs).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });
});

describe("other requests that are wrong", () => {
  it("[L-8.3] name the field that a worker refuses", async () => {
    const id = String((await spawned(TASK))["id"]);
    await workerWith(id, "completed");
    expect(await refusedWith(await post(`/v1/workers/${id}/input`, { text: "" }))).toMatchObject({
      status: 400,
      paths: ["text"],
    });
    expect(await workerNow(id)).toMatchObject({ status: "completed", history: ["Work"] });
  });

  it("[L-26.1] name the option of a pool", async () => {
    for (const [path, options] of [
      ["max_concurrent", { max_concurrent: "x" }],
      ["queue", { queue: "odd" }],
      ["scope", { scope: "odd" }],
    ] as const)
      expect(await refusedWith(await post("/v1/pools", options))).toMatchObject({ status: 400, paths: [path] });
    const { id } = await answered("/v1/pools", { name: "narrow" });
    for (const [path, task] of [
      ["handler", {}],
      ["priority", { handler: "echo", priority: 1.5 }],
      ["retry.max_attempts", { handler: "echo", retry: { max_attempts: 1_000 } }],
    ] as const)
      expect(await refusedWith(await post(`/v1/pools/${String(id)}/tasks`, task))).toMatchObject({
        status: 400,
        paths: [path],
      });
  });

  it("[L-13.3] name a secret that cannot sign, without repeating it", async () => {
    const body = { url: "https://a.example", secret: "%% not base64 %%" };
    const { status, paths, text } = await refusedWith(
      await send("/v1/worker_webhook", {
        method: "PUT",
        body: JSON.stringify(body),
        headers: { Authorization: `Bearer ${ROOT_KEY}`, "Content-Type": "application/json" },
      }),
    );
    expect({ status, paths }).toEqual({ status: 400, paths: ["secret"] });
    expect(text).not.toContain("not base64 %%");
  });
});

describe("the page of a link", () => {
  it("[L-24.5] shows what is asked as text, and takes no answer that nobody gave", async () => {
    const prompt = `"><script>alert(1)</script>`;
    const person = { kind: "question", prompt };
    const runId = await startRun({ entry: "p", nodes: { p: { kind: "stage", mode: "person", person } }, edges: [] });
    await waitingRun(runId, "person");
    const id = `hitl_question_${runId}_1`;
    const { url } = await answered(`/v1/approvals/${id}/links`, { reviewer: `<img src="x">` });
    const { pathname } = new URL(String(url));
    const shown = await (await send(pathname, {})).text();
    expect(shown).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    expect(shown).not.toMatch(/<script|<img/);
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    for (const body of ["", "answer=", "answer=%20"]) {
      const answer = await send(pathname, { method: "POST", headers, body });
      expect(answer.status).toBe(400);
      expect(await answer.text()).toContain("Give an answer.");
    }
    expect(await (await get(`/v1/approvals/${id}`)).json()).toMatchObject({ status: "open" });
  });
});
