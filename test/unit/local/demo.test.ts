import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PROVEN } from "../../../src/connectors/connector.ts";
import { github } from "../../../src/connectors/github.ts";
import type { LiveEvent } from "../../../src/engine/observe/live.ts";
import { githubDelivery } from "../../../src/local/demo/delivery.ts";
import { duration, money, paintFor, size } from "../../../src/local/demo/paint.ts";
import { finishedLine, ProgressReader } from "../../../src/local/demo/progress.ts";
import { NO_KEYS } from "../connectors/delivery.ts";

const payload = readFileSync(join(import.meta.dirname, "../../../examples/github-issues-opened.json"), "utf8");
const plain = paintFor({ isTTY: false }, {});

const lowerCase = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

const event = (type: string, at: number, data: LiveEvent["data"]): LiveEvent => ({
  id: `${at}.0`,
  type,
  at: new Date(1_000_000 + at).toISOString(),
  data,
});
describe("a delivery of the demo", () => {
  const delivery = githubDelivery("issues", payload, "s3cret");
  const request = {
    method: "POST",
    path: "/hooks/issue-triage",
    headers: lowerCase(delivery.headers),
    body: new TextEncoder().encode(payload),
    secrets: ["s3cret"],
    now: 0,
  };

  it("[T-19.5] is signed over its bytes, as GitHub does, and read as issues.opened", async () => {
    const expected = createHmac("sha256", "s3cret").update(payload).digest("hex");
    expect(delivery.headers["X-Hub-Signature-256"]).toBe(`sha256=${expected}`);
    expect((await github.verify(request, {}, NO_KEYS)).ok).toBe(true);
    const event = await github.normalise(request, {}, PROVEN);
    expect(event).toMatchObject({
      ok: true,
      value: { kind: "issues.opened", dedupe_key: delivery.headers["X-GitHub-Delivery"] },
    });
  });

  it("has an id of its own each time", () => {
    const other = githubDelivery("issues", payload, "s3cret");
    expect(other.headers["X-GitHub-Delivery"]).not.toBe(delivery.headers["X-GitHub-Delivery"]);
  });
});

describe("the progress of a run", () => {
  const usage = {
    input_tokens: 855,
    output_tokens: 55,
    total_cost: 0.0123,
    call_count: 1,
    total_duration_ms: 2,
    models: ["m"],
  };
  const story: readonly LiveEvent[] = [
    event("stage_prepared", 5, { stage_id: "r:draft:1", node_id: "draft", kind: "stage", mode: "llm", attempt: 1 }),
    event("attempt_ended", 9, { reason: "lease_expired", attempt: 1, error: null }),
    event("attempt_started", 10, { attempt: 2, holder: "driver" }),
    event("stage_completed", 2_000, {
      stage_id: "r:draft:1",
      node_id: "draft",
      status: "completed",
      outcome: "success",
      branch: "success",
      error: null,
      usage,
    }),
    event("run_finalized", 2_001, { status: "completed" }),
  ];

  it("shows a stage with its attempt, its branch, its time, and what its model used", () => {
    const reader = new ProgressReader();
    const shown = story.map((each) => reader.read(each));
    expect(shown.map(({ type }) => type)).toEqual(["started", "retry", "started", "finished", "nothing"]);
    expect(reader.progress).toMatchObject({
      status: "completed",
      first_stage_at_ms: 1_000_005,
      ended_at_ms: 1_002_001,
      stages: [{ node_id: "draft", what: "llm", attempt: 2, branch: "success", took_ms: 1_995 }],
    });
    const [stage] = reader.progress.stages;
    if (stage === undefined) throw new Error("no stage");
    expect(finishedLine(plain, stage, 1_000_000)).toBe(
      "     +5 ms  draft                 llm         success      2.00 s    855 in   55 out  $0.0123  attempt 2",
    );
  });

  it("tells why a run failed", () => {
    const reader = new ProgressReader();
    reader.read(event("run_failed", 1, { error: "it broke" }));
    expect(reader.progress).toMatchObject({ status: "failed", error: "it broke" });
  });
});

describe("what people read", () => {
  it("has colours only on a terminal that wants them", () => {
    expect(plain("red", "text")).toBe("text");
    expect(paintFor({ isTTY: true }, { NO_COLOR: "1" })("red", "text")).toBe("text");
    expect(paintFor({ isTTY: true }, {})("red", "text")).toBe("\u001b[31mtext\u001b[39m");
  });

  it("has numbers with their units", () => {
    expect([0.2, 41.6, 1_234, 61_000].map(duration)).toEqual(["<1 ms", "42 ms", "1.23 s", "61.0 s"]);
    expect([12, 13_874].map(size)).toEqual(["12 B", "13.9 KB"]);
    expect([0, 1.5].map(money)).toEqual(["$0.0000", "$1.50"]);
  });
});
