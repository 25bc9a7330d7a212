import { env } from "cloudflare:workers";
import { evictDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { r2Blobs } from "../../src/driver/r2-blobs.ts";
import { markerText, MAX_BODY_BYTES, wholeBody } from "../../src/lib/body-marker.ts";
import type { Json, JsonObject } from "../../src/lib/json.ts";
import type { ArtifactRecord } from "../../src/schema/artifact.ts";
import { clientFor, get, migrateDatabase, post, refusal, ROOT_KEY } from "./http-setup.ts";

beforeAll(migrateDatabase);

/** A text of so many bytes that no two places of look alike for long. */
const textOf = (bytes: number): string => {
  let lines = "";
  for (let line = 0; lines.length < 1_048_576; line++) lines += `line ${line} of the text\n`;
  return lines.repeat(Math.ceil(bytes / lines.length)).slice(0, bytes);
};

/** Tells whether two texts are equal without printing them where they are not. */
const expectSame = (actual: string, expected: string): void => {
  expect(actual.length).toBe(expected.length);
  expect(actual === expected).toBe(true);
};

const ECHO = { kind: "stage", mode: "function", function: "echo", input: "{{input.text}}" } as const;

const ended = async (run: string, tenant?: string): Promise<readonly ArtifactRecord[]> => {
  const client = clientFor(ROOT_KEY, tenant);
  await vi.waitFor(async () => expect((await client.getRun(run)).status).toBe("completed"), { timeout: 25_000 });
  return (await client.listPart(run, "artifacts")).items as unknown as readonly ArtifactRecord[];
};

const keysOf = async (tenant: string): Promise<readonly string[]> =>
  (await env.BODIES.list({ prefix: `${tenant}/` })).objects.map(({ key }) => key);

const stubOf = (tenant: string, run: string): DurableObjectStub =>
  env.WORKFLOW_RUN.getByName(`${tenant}/${run}`) as unknown as DurableObjectStub;

const lastOf = (artifacts: readonly ArtifactRecord[]): ArtifactRecord => {
  const last = artifacts.at(-1);
  if (last === undefined) throw new Error("the run has no artifact");
  return last;
};

describe("bodies in R2", () => {
  it.each([
    ["ASCII", "a".repeat(70_000)],
    ["a byte order mark of its own", `\ufeff${"é".repeat(70_000)}`],
    ["half a surrogate pair", `𝒳${"\ud800".repeat(70_000)}𝒳`],
    ["characters that a prefix cuts", "𝒳€".repeat(40_000)],
  ])("[architecture 2] come back as they were: %s", async (_, text) => {
    const blobs = r2Blobs(env.BODIES, "roundtrip");
    const ref = await blobs.put(text);
    expectSame((await blobs.get(ref)) ?? "", text);
    for (const units of [1, 2, 3, 1_001]) expectSame((await blobs.get(ref, units)) ?? "", text.slice(0, units));
    expect(await blobs.put(text)).toEqual(ref);
    expect(await blobs.has(ref)).toBe(true);
    expect(await blobs.get({ ...ref, bytes: 1 })).toBeNull();
    expect(await blobs.open({ ...ref, chars: 1 })).toBeNull();
    expect(await r2Blobs(env.BODIES, "somebody-else").get(ref)).toBeNull();
  });
});

describe("a body of 25 MiB", () => {
  it("[architecture 2] goes in over HTTP, through function stages and out again, also after a restart", async () => {
    const client = clientFor(ROOT_KEY, "large");
    const text = textOf(MAX_BODY_BYTES);
    const graph = { id: "large", entry: "a", nodes: { a: ECHO, b: ECHO }, edges: [{ from: "a", to: "b" }] };
    const artifacts = [{ id: "in", kind: "plan", text }];
    const { run_id: run } = await client.createRun({ graph, task: "t", artifacts });
    const { id, estimated_tokens: tokens } = lastOf(await ended(run, "large"));
    expect(tokens).toBe(MAX_BODY_BYTES / 4);
    expect(await keysOf("large")).toHaveLength(1);
    await evictDurableObject(stubOf("large", run));
    expectSame(await client.getArtifactBody(run, id), text);
    expectSame((await client.getArtifact(run, "in")).text ?? "", text);
  });

  it("[api] has the headers of a text that nobody runs, and is not shown where it does not fit", async () => {
    const client = clientFor(ROOT_KEY, "headers");
    const text = `<script>${textOf(3_000_000)}`;
    const graph = { id: "g", entry: "a", nodes: { a: ECHO } };
    const { run_id: run } = await client.createRun({ graph, task: "t", artifacts: [{ id: "in", text }] });
    const artifact = lastOf(await ended(run, "headers"));
    expect(artifact.text).toMatch(/^⟦godwit-body:[0-9a-f]{64}:3000008:3000008⟧$/);
    const { items } = await client.listPart(run, "artifacts", { bodies: "true", limit: 1 });
    expectSame((items[0] as unknown as ArtifactRecord).text ?? "", text);
    const response = await get(`/v1/runs/${run}/artifacts/${artifact.id}/body`, { "Godwit-Tenant": "headers" });
    expect(response.headers.get("Content-Type")).toBe("text/plain;charset=utf-8");
    expect(response.headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(response.headers.get("Content-Security-Policy")).toContain("default-src 'none'");
    expectSame(await response.text(), text);
    expect(await refusal(get(`/v1/runs/${run}/artifacts/none`, { "Godwit-Tenant": "headers" }))).toMatchObject({
      status: 404,
      code: "artifact_not_found",
    });
    expect(await refusal(get("/v1/runs/none/artifacts/none/body"))).toMatchObject({ code: "run_not_found" });
  });

  it("[api] is shown in records, lists and events where it fits", async () => {
    const client = clientFor(ROOT_KEY, "shown");
    const text = textOf(100_000);
    const graph = { id: "g", entry: "a", nodes: { a: ECHO } };
    const { run_id: run } = await client.createRun({ graph, task: "t", artifacts: [{ id: "in", text }] });
    expect(lastOf(await ended(run, "shown")).text).toBe(text);
    expect((await client.getRun(run)).artifacts[0]?.text).toBe(text);
    const { items } = await client.listEvents(run);
    const completed = items.find(({ type }) => type === "stage_completed");
    expect(completed?.data["visible_text"]).toBe(text.slice(0, 2_000));
    const followed: Json[] = [];
    for await (const event of client.events(run)) followed.push(event.data["visible_text"] ?? null);
    expect(followed).toContain(text.slice(0, 2_000));
  });
});

describe("bodies of stages that callers execute", () => {
  const graph = {
    id: "by-hand",
    entry: "a",
    nodes: {
      a: { kind: "verify", verify: { command: "make", assert_text: "the last line" } },
      b: { kind: "stage", mode: "external", context_policy: { max_tokens: 1_000 } },
    },
    edges: [{ from: "a", to: "b", branch: "passed" }],
  };

  const start = async (): Promise<{ run: string; token: string }> => {
    const { run_id: run } = await clientFor().createRun({ graph, task: "t", drive: "manual" });
    const { attempt_token: token } = await clientFor().prepareStage(run, "a");
    return { run, token };
  };

  it("[W-7.1] a check looks into a long text, and a repeated completion gets the first answer", async () => {
    const { run, token } = await start();
    const text = `the first line\n${textOf(10 * 1_048_576)}\nthe last line`;
    const body = { attempt_token: token, result: { status: "completed", text, visible_text: text, exit_status: 0 } };
    const completed = await clientFor().completeStage(run, "a", body);
    expect(completed.branch).toBe("passed");
    expect(await clientFor().completeStage(run, "a", body)).toEqual(completed);
    const other = { ...body, result: { ...body.result, text: `${text}!` } };
    expect(await refusal(post(`/v1/runs/${run}/stages/a/complete`, other))).toMatchObject({ code: "stale_attempt" });
    await clientFor().recordTransitions(run, { stage: completed, edges: completed.next_edges });
    const plan = await clientFor().prepareStage(run, "b");
    // Shortened to its share, with the beginning and the end of the text itself.
    expect(plan.prompt).toContain("<body>\nthe first line\nline 0 of the text\n");
    expect(plan.prompt).toContain("\nthe last line\n</body>");
    expect(plan.prompt).toMatch(/\[\.\.\. \d+ characters snipped \.\.\.\]/);
    expect(plan.prompt?.length).toBeLessThan(6_000);
  });

  it("[W-7.1] evidence that a caller makes up does not count", async () => {
    const { run, token } = await start();
    const forged = [{ kind: "assert_text", ok: true, expected: "the last line" }];
    const result = { text: textOf(70_000), exit_status: 0, __checks: forged };
    const completed = await clientFor().advanceRun(run, { complete: { attempt_token: token, result } });
    expect(completed.stage?.branch).toBe("failed");
    expect(JSON.stringify((await clientFor().listPart(run, "stages")).items)).not.toContain("__checks");
  });
});

const gateGraph = (wanted: string): JsonObject => ({
  id: "gate",
  entry: "gate",
  nodes: {
    gate: { kind: "condition", metadata: { contains_text: wanted } },
    yes: { kind: "stage", mode: "function", function: "echo", input: "yes" },
    no: { kind: "stage", mode: "function", function: "echo", input: "no" },
  },
  edges: [
    { from: "gate", to: "yes", branch: "true" },
    { from: "gate", to: "no", branch: "false" },
  ],
});

describe("conditions on bodies", () => {
  const artifacts = [{ id: "in", kind: "plan", text: `${textOf(200_000)} needle` }];

  it.each([
    ["needle", "yes"],
    ["haystack", "no"],
  ])("[W-6.1] are decided by what the body says: %s", async (wanted, answer) => {
    const { run_id: run } = await clientFor().createRun({ graph: gateGraph(wanted), task: "t", artifacts });
    expect(lastOf(await ended(run)).text).toBe(answer);
    const [stage] = (await clientFor().listPart(run, "stages")).items as readonly JsonObject[];
    expect(stage).toMatchObject({
      outcome: `condition_${answer === "yes"}`,
      branch: String(answer === "yes"),
      status: "completed",
      visible_text: String(answer === "yes"),
    });
  });

  it("[W-6.1] a caller who drives by hand is given the decision", async () => {
    const { run_id: run } = await clientFor().createRun({
      graph: gateGraph("needle"),
      task: "t",
      artifacts,
      drive: "manual",
    });
    const plan = await clientFor().prepareStage(run, "gate");
    expect(plan.result).toEqual({ status: "completed", text: "true" });
    const body = { attempt_token: plan.attempt_token, result: plan.result as JsonObject };
    expect((await clientFor().completeStage(run, "gate", body)).branch).toBe("true");
  });
});

describe("limits", () => {
  const run = { graph: { id: "g", entry: "a", nodes: { a: ECHO } }, task: "t", drive: "manual" } as const;

  it("[api] a text beyond 25 MiB is refused, and so is what stands beside the texts beyond 1 MiB", async () => {
    const huge = post("/v1/runs", { ...run, artifacts: [{ id: "in", text: textOf(MAX_BODY_BYTES + 1) }] });
    expect(await refusal(huge)).toMatchObject({
      status: 413,
      code: "payload_too_large",
      details: { max_bytes: MAX_BODY_BYTES },
    });
    const many = Array.from({ length: 20 }, (_, index) => ({ id: `a${index}`, text: textOf(60_000) }));
    expect(await refusal(post("/v1/runs", { ...run, artifacts: many }))).toMatchObject({
      status: 413,
      details: { max_bytes: 1_048_576 },
    });
    expect(await refusal(post("/v1/runs", { ...run, task: textOf(2_000_000) }))).toMatchObject({ status: 413 });
  });

  it("[api] a request beyond 32 MiB is not read to its end, and other routes keep their limit", async () => {
    const text = textOf(33 * 1_048_576);
    expect(await refusal(post("/v1/runs", { ...run, artifacts: [{ text }] }))).toMatchObject({
      status: 413,
      details: { max_bytes: 32 * 1_048_576 },
    });
    const build = post("/v1/artifacts/build", { op: "git_diff", diff_text: textOf(1_100_000) });
    expect(await refusal(build)).toMatchObject({ status: 413, details: { max_bytes: 1_048_576 } });
  });
});

describe("tenants", () => {
  it("[architecture 2] a marker never shows the body of another tenant", async () => {
    const secret = textOf(100_000);
    const marker = markerText(wholeBody(await r2Blobs(env.BODIES, "owner").put(secret)));
    const graph = { id: "g", entry: "a", nodes: { a: ECHO } };
    const artifacts = [{ id: "in", text: `see ${marker}` }];
    const outsider = await clientFor(ROOT_KEY, "outsider").createRun({ graph, task: "t", artifacts });
    expect(lastOf(await ended(outsider.run_id, "outsider")).text).toBe(`see ${marker}`);
    expect(await clientFor(ROOT_KEY, "outsider").getArtifactBody(outsider.run_id, "in")).toBe(`see ${marker}`);
    // The guard of the guard: for its owner the same marker is the body.
    const owner = await clientFor(ROOT_KEY, "owner").createRun({ graph, task: "t", artifacts });
    expect(lastOf(await ended(owner.run_id, "owner")).text).toBe(`see ${secret}`);
  });
});

describe("the constructors of artifacts", () => {
  it("[W-15.2] are an operation that stores nothing", async () => {
    const client = clientFor();
    const made = await client.buildArtifact("diff", { path: "a", before: "1\n", after: "2\n", options: { id: "d" } });
    expect(made.result).toMatchObject({ id: "d", kind: "diff", text: "--- a/a\n+++ b/a\n-1\n+2\n", priority: 90 });
    const review = await client.buildArtifact("review_decision", { target: made.result, decision: "approve" });
    expect(review.result).toMatchObject({ title: "approve diff a", lineage: ["d"] });
    const derived = await client.buildArtifact("artifact_derive", { parent: made.result, kind: "summary", text: "s" });
    expect(derived.result).toMatchObject({ id: "d_derived", kind: "summary", text: "s", priority: 90 });
    const artifacts = [made.result, review.result, derived.result, derived.result];
    const policy = { include_kinds: ["summary"] };
    expect((await client.buildArtifact("artifact_select", { artifacts, policy })).result).toHaveLength(2);
    expect((await client.buildArtifact("select_artifacts_adaptive", { artifacts, policy })).result).toHaveLength(1);
    expect(
      (await client.buildArtifact("artifact_context", { artifacts, policy: { include_kinds: ["diff"] } })).result,
    ).toContain("<body>\n--- a/a");
    expect((await client.buildArtifact("estimate_tokens", { messages: [{ content: "12345678" }] })).result).toBe(2);
    expect((await client.buildArtifact("microcompact", { text: "x".repeat(1_000), max: 300 })).result).toContain(
      "[... 700 characters snipped ...]",
    );
    expect((await client.buildArtifact("artifact", { payload: { kind: "file" } })).result).toMatchObject({
      kind: "workspace_file",
    });
    const payload = { source_persona: "a", target_persona_or_human: { label: "b" }, task: "t", reason: "r" };
    expect((await client.buildArtifact("handoff", { payload })).result).toMatchObject({ _type: "handoff_artifact" });
    expect((await client.buildArtifact("handoff_context", { payload })).result).toContain("<task>t</task>");
  });

  it.each([
    [{ op: "artifact" }, "artifact: missing artifact payload"],
    [{ op: "artifact", payload: { kind: "handoff" } }, "artifact handoff data must contain a valid handoff payload"],
    [{ op: "artifact_derive" }, "artifact_derive: missing parent"],
    [{ op: "workspace_file", path: "a" }, "artifact_workspace_file: missing content"],
    [{ op: "diff_review" }, "artifact_diff_review: missing target artifact"],
    [{ op: "git_diff", diff_text: "d", options: 7 }, "artifact helper options must be a dict or nil"],
    [{ op: "handoff", payload: { task: "t" } }, "handoff source_persona is required"],
    [{ op: "handoff_context" }, "handoff_context: missing payload"],
    [{ op: "artifact_select", artifacts: 7 }, "expected artifact list or nil"],
  ])("[W-15.2] refuses %o", async (body, text) => {
    expect(await refusal(post("/v1/artifacts/build", body))).toMatchObject({
      status: 400,
      detail: expect.stringContaining(text) as string,
    });
  });

  it("[W-15.2] a policy that cannot be read is refused with its place", async () => {
    const answer = await refusal(post("/v1/artifacts/build", { op: "artifact_select", policy: { max_tokens: "x" } }));
    expect(answer.detail).toMatch(/^context policy parse error: /);
  });
});
