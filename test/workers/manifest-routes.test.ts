import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import type { ManifestSummary } from "../../src/schema/trigger-manifest.ts";
import { migrateDatabase, refusal, ROOT_KEY, send } from "./http-setup.ts";
import { accepted, defineWorkflow, get, ISSUE_OPENED, put, SECRET, shown } from "./trigger-setup.ts";

beforeAll(async () => {
  await migrateDatabase();
  await defineWorkflow();
});

type Definition = Readonly<Record<string, unknown>>;

const trigger = (id: string, change: Definition = {}): Definition => ({
  id,
  provider: "github",
  secret: SECRET,
  match: { events: ["issues.opened"] },
  handler: { workflow: "triage" },
  ...change,
});

const putManifest = (
  triggers: readonly Definition[],
  more: Definition = {},
  settings: Readonly<Record<string, unknown>> = {},
): Promise<Response> =>
  send(
    "/v1/manifest",
    {
      method: "PUT",
      headers: { Authorization: `Bearer ${ROOT_KEY}`, "Content-Type": "application/json" },
      body: JSON.stringify({ triggers, ...more }),
    },
    settings as Readonly<Record<string, string>>,
  );

const summary = async (...args: Parameters<typeof putManifest>): Promise<ManifestSummary> => {
  const answer = await putManifest(...args);
  if (answer.status !== 200) throw new Error(await answer.text());
  return answer.json<ManifestSummary>();
};

const manifestIds = async (): Promise<readonly string[]> => {
  const { triggers } = await (await get("/v1/manifest")).json<{ triggers: readonly { id: string }[] }>();
  return triggers.map((one) => one.id);
};

const gone = (): Promise<never> => Promise.reject(new Error("the object was reset"));

/** Triggers of which one cannot be changed. */
const without = (lost: string) => ({
  TRIGGER: {
    getByName: (name: string): unknown =>
      name.endsWith(`/${lost}`) ? { show: () => null, configure: gone, control: gone } : env.TRIGGER.getByName(name),
  },
});

describe("manifests", () => {
  it("[T-6.2] are put as a whole: added, modified, removed and unchanged, and others are left alone", async () => {
    await put("alone");
    const nothing = { added: [], modified: [], removed: [], unchanged: [], dry_run: false };
    const planned = await summary([trigger("m-1"), trigger("m-2")], { dry_run: true });
    expect(planned).toEqual({ ...nothing, added: ["m-1", "m-2"], dry_run: true });
    expect(await manifestIds()).toEqual([]);
    expect(await summary([trigger("m-1"), trigger("m-2")])).toEqual({ ...nothing, added: ["m-1", "m-2"] });
    expect(await summary([trigger("m-1"), trigger("m-2")])).toEqual({ ...nothing, unchanged: ["m-1", "m-2"] });
    expect(await manifestIds()).toEqual(["m-1", "m-2"]);
    expect((await accepted("/hooks/m-1", { body: ISSUE_OPENED })).duplicate).toBe(false);
    const spread = trigger("m-3", { sources: [{ id: "gh", provider: "github", match: {} }] });
    expect(await summary([trigger("m-1", { match: {} }), spread])).toEqual({
      ...nothing,
      added: ["m-3.gh"],
      modified: ["m-1"],
      removed: ["m-2"],
    });
    expect(await shown("m-1")).toMatchObject({ version: 2, source: "manifest" });
    expect(await refusal(get("/v1/triggers/m-2"))).toMatchObject({ status: 404 });
    expect(await shown("alone")).toMatchObject({ version: 1, source: "dynamic", state: "active" });
    expect(JSON.stringify(await (await get("/v1/manifest")).json())).not.toContain(SECRET);
    await summary([]);
    expect(await manifestIds()).toEqual([]);
  });

  it("[T-5.7] change nothing unless all of it is valid, and every message tells which trigger it is about", async () => {
    await put("taken");
    const bad = await refusal(
      putManifest([trigger("v-1"), trigger("v-2", { provider: "nobody" }), trigger("", {}), { id: "v-4" }]),
    );
    expect(bad).toMatchObject({ status: 400, code: "invalid_request" });
    const text = JSON.stringify(bad);
    expect(text).toContain("[[triggers]] table #2 (id = v-2): provider 'nobody' is not registered");
    expect(text).toContain("[[triggers]] table #3 (id = ): id cannot be empty");
    expect(text).toContain("table #4 (id = v-4): trigger table must set kind/provider or declare one or more sources");
    expect(text).toContain("triggers[1].provider");
    for (const [manifest, message] of [
      [[trigger("v-1"), trigger("v-1")], "duplicate trigger id 'v-1'"],
      [[trigger("v-1"), trigger("taken")], "duplicate trigger id 'taken'"],
    ] as const)
      expect(JSON.stringify(await refusal(putManifest(manifest)))).toContain(message);
    expect(await refusal(get("/v1/triggers/v-1"))).toMatchObject({ status: 404 });
  });

  it("[T-6.2] that got only so far say how far, and can be put again", async () => {
    await summary([trigger("r-old")]);
    const triggers = [trigger("r-1"), trigger("r-2")];
    const half = await refusal(putManifest(triggers, {}, without("r-2")));
    expect(half).toMatchObject({ status: 503, code: "unavailable" });
    expect(JSON.stringify(half)).toContain('"applied":["r-1"]');
    expect(JSON.stringify(half)).toContain('"trigger_id":"r-2"');
    expect(await manifestIds()).toEqual(["r-1", "r-old"]);
    expect(await summary(triggers)).toMatchObject({ added: ["r-2"], unchanged: ["r-1"], removed: ["r-old"] });
    expect(await manifestIds()).toEqual(["r-1", "r-2"]);
    expect(await refusal(put("r-1"))).toMatchObject({ status: 409, code: "invalid_transition" });
    await summary([]);
  });
});
