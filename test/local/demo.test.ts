import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";

const DEMO = join(import.meta.dirname, "../../src/local/demo/demo.ts");
const state = mkdtempSync(join(tmpdir(), "godwit-demo-"));
afterAll(() => rmSync(state, { recursive: true, force: true, maxRetries: 5 }));

const PROVIDERS = ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GODWIT_MODEL_URL", "GODWIT_DEFAULT_PROVIDER"];

const environment = (): NodeJS.ProcessEnv => {
  const own = Object.entries(process.env).filter(([name]) => !PROVIDERS.includes(name));
  return {
    ...Object.fromEntries(own),
    PORT: "0",
    GODWIT_STATE: state,
    GODWIT_ROOT_KEY: "gwroot_of_a_test",
    GODWIT_MASTER_KEY: btoa("m".repeat(32)),
    NO_COLOR: "1",
  };
};

const demo = async (...options: readonly string[]): Promise<string> =>
  (await promisify(execFile)(process.execPath, [DEMO, ...options], { env: environment() })).stdout;

describe("npm run demo", () => {
  it("delivers one webhook twice, and its one run takes every kind of stage to the comment", async () => {
    const report = JSON.parse(await demo("--json")) as {
      readonly comment: string;
      readonly stages: readonly { readonly node_id: string; readonly branch: string }[];
    };
    expect(report).toMatchObject({ ok: true, failure: null, model: "scripted", status: "completed", runs: 1 });
    // The first draft lacks its last part, so the loop through `revise` is shown.
    expect(report.stages.map(({ node_id: node, branch }) => `${node} ${branch}`)).toEqual([
      "read_issue success",
      "classify success",
      "is_bug true",
      "draft_bug success",
      "draft_is_complete false",
      "revise success",
      "revision_is_complete true",
      "accept success",
      "fan_out fork",
      "summarise success",
      "label success",
      "join join",
      "publish reduced",
    ]);
    expect(report.comment).toContain("@marit-okafor");
    expect(report.comment).toContain("Next steps:");
    expect(report.comment).toContain("Labels: bug, area: export");
  }, 60_000);

  it("tells all of it to people, in plain lines where there is no terminal", async () => {
    const text = await demo();
    expect(text).toContain("the same receipt, nothing is done twice");
    expect(text).toContain("✔ 13 stages completed, one run for two deliveries");
    expect(text).not.toContain("\u001b");
  }, 60_000);
});
