import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { clientFor, get, migrateDatabase, refusal, ROOT_KEY, send } from "./http-setup.ts";
import {
  accepted,
  defineWorkflow,
  deliver,
  eventIn,
  hmac,
  ISSUE_OPENED,
  objectOf,
  put,
  SECRET,
  shown,
} from "./trigger-setup.ts";

beforeAll(async () => {
  await migrateDatabase();
  await defineWorkflow();
});

const body = ISSUE_OPENED;

const issue = (path: string): Promise<Response> => deliver(path, { body });

/** What a delivery comes to: its status, and the code of a refusal. */
const outcome = async (path: string): Promise<readonly [number, string | undefined]> => {
  const answer = await issue(path);
  const { code } = await answer.json<{ code?: string }>();
  return [answer.status, code];
};

const taken = [202, undefined];
const noTrigger = [404, "trigger_not_found"];
const noRoute = [404, "route_not_found"];

const remove = (id: string): Promise<Response> =>
  send(`/v1/triggers/${id}`, { method: "DELETE", headers: { Authorization: `Bearer ${ROOT_KEY}` } });

/** Who has which path, by the table. */
const rows = async (): Promise<Readonly<Record<string, string>>> => {
  const { results } = await env.DB.prepare("SELECT tenant, path, trigger_id FROM trigger_paths").all<{
    readonly tenant: string;
    readonly path: string;
    readonly trigger_id: string;
  }>();
  return Object.fromEntries(results.map((row) => [`${row.tenant}${row.path}`, row.trigger_id]));
};

/** A row as another isolate writes it: this one is not told. */
const holder = (path: string, id: string): Promise<unknown> =>
  env.DB.prepare(
    "INSERT INTO trigger_paths (tenant, path, trigger_id, claim) VALUES ('default', ?1, ?2, ?3) ON CONFLICT DO UPDATE SET trigger_id = ?2",
  )
    .bind(path, id, crypto.randomUUID())
    .run();

const conflict = (path: string) => ({
  status: 400,
  code: "invalid_request",
  details: { issues: [{ path: "path", message: `trigger route '${path}' is configured more than once` }] },
});

const tenant = { "Godwit-Tenant": "acme" };

describe("deliveries by path", () => {
  it("[T-20.1] come in at the path of the definition and at the hook, or at `/triggers/<id>` without one", async () => {
    await put("with-path", { path: "/gh/issues" });
    await put("without-path");
    const { event_id: id } = await accepted("/gh/issues", { body });
    expect(await eventIn(id, "dispatched")).toMatchObject({ trigger_id: "with-path", kind: "issues.opened" });
    expect(await outcome("/hooks/with-path")).toEqual(taken);
    expect(await outcome("/triggers/with-path")).toEqual(noTrigger);
    expect(await outcome("/triggers/without-path")).toEqual(taken);
    expect(await outcome("/triggers/nobody")).toEqual(noTrigger);
    expect(await outcome("/gh")).toEqual(noRoute);
    expect(await outcome("/gh/issues/")).toEqual(noRoute);
    expect((await shown("with-path")).definition.path).toBe("/gh/issues");
  });

  it("[T-5.5] `match.path` is another name of `path`; events are matched after the path", async () => {
    await put("alias", { match: { events: ["issues.closed"], path: "/alias" } });
    expect((await shown("alias")).definition).toMatchObject({ path: "/alias", match: { events: ["issues.closed"] } });
    const { event_id: id } = await accepted("/alias", { body });
    expect(await eventIn(id, "skipped")).toMatchObject({ trigger_id: "alias", skip_stage: "match" });
  });

  it("[T-24] of other tenants come in below their name", async () => {
    await put("shared", { path: "/shared" });
    await put("theirs", { path: "/shared", secret: "acme-secret" }, tenant);
    await put("by-id", {}, tenant);
    const theirs = { body, secret: "acme-secret" };
    for (const prefix of ["/tenant/acme", "/hooks/tenant/acme"]) {
      expect((await deliver(`${prefix}/shared`, theirs)).status).toBe(202);
      expect((await deliver(`${prefix}/shared`, { body })).status).toBe(401);
      expect((await deliver(`${prefix}/triggers/by-id`, { body })).status).toBe(202);
      expect(await outcome(`${prefix}/gone`)).toEqual(noRoute);
    }
    expect(await outcome("/shared")).toEqual(taken);
    expect(await outcome("/tenant/default/shared")).toEqual(taken);
    expect(await outcome("/tenant/Acme/shared")).toEqual(noRoute);
    expect(await outcome("/triggers/by-id")).toEqual(noTrigger);
    const signature = `sha256=${await hmac(body, "acme-secret")}`;
    const headers = { "X-GitHub-Event": "issues", "X-GitHub-Delivery": "by-client", "X-Hub-Signature-256": signature };
    const address = { tenant: "acme", path: "/shared" };
    expect(await clientFor().triggers.deliver({ ...address, body, headers })).toMatchObject({ duplicate: false });
  });

  it("[T-19.2] are signed with the path they came to", async () => {
    const definition = { provider: "webhook", signature_scheme: "canonical", match: {} };
    await put("review", { ...definition, path: "/a2a/review" });
    const text = '{"task":"review"}';
    const at = Math.floor(Date.now() / 1000);
    const encoder = new TextEncoder();
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text)));
    const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const key = await crypto.subtle.importKey("raw", encoder.encode(SECRET), { name: "HMAC", hash: "SHA-256" }, false, [
      "sign",
    ]);
    const signed = (path: string) => crypto.subtle.sign("HMAC", key, encoder.encode(`POST\n${path}\n${at}\n${hex}`));
    const mac = btoa(String.fromCodePoint(...new Uint8Array(await signed("/a2a/review"))));
    const headers = { Authorization: `HMAC-SHA256 timestamp=${at},signature=${mac}` };
    const statusAt = async (path: string) => (await send(path, { method: "POST", body: text, headers })).status;
    expect(await statusAt("/a2a/review")).toBe(202);
    expect(await statusAt("/hooks/review")).toBe(401);
  });

  it("[T-20.1] to paths that nobody has are not found, and cost one question at most", async () => {
    let asked = 0;
    const prepare = (sql: string): D1PreparedStatement => {
      asked += 1;
      return env.DB.prepare(sql);
    };
    const settings = { DB: { prepare } } as unknown as Readonly<Record<string, string>>;
    const cost = async (path: string, method = "POST"): Promise<readonly [number, string, number]> => {
      asked = 0;
      const { status, code } = await refusal(send(path, { method }, settings));
      return [status, code, asked];
    };
    expect(await cost("/wp-login.php")).toEqual([404, "route_not_found", 1]);
    expect(await cost("/wp-login.php")).toEqual([404, "route_not_found", 0]);
    expect(await cost("/tenant/acme/wp-login.php")).toEqual([404, "route_not_found", 1]);
    for (const path of ["/", "/v1/nothing", "/a//b", "/tenant/acme", `/${"x".repeat(500)}`, "/%2e%2e/x%2f"])
      expect(await cost(path)).toEqual([404, "route_not_found", 0]);
    for (const method of ["PUT", "DELETE"]) expect(await cost("/other", method)).toEqual([404, "route_not_found", 0]);
    expect(await cost("/v1/manifest")).toEqual([405, "method_not_allowed", 0]);
    await put("late", { path: "/wp-login.php" });
    expect(await outcome("/wp-login.php")).toEqual(taken);
  });
});

describe("changes", () => {
  it("[S6] after another path is put, the old one is not found and the version counts up", async () => {
    await put("moving", { path: "/old" });
    expect(await outcome("/old")).toEqual(taken);
    const moved = await (await put("moving", { path: "/new" })).json();
    expect(moved).toMatchObject({ version: 2, definition: { path: "/new" } });
    expect(await outcome("/old")).toEqual(noRoute);
    expect(await outcome("/new")).toEqual(taken);
    await put("moving");
    expect(await outcome("/new")).toEqual(noRoute);
    expect(await outcome("/triggers/moving")).toEqual(taken);
    expect(Object.values(await rows())).not.toContain("moving");
  });

  it("[S6] that an isolate has not heard of are kept by the trigger itself", async () => {
    await put("elsewhere", { path: "/elsewhere" });
    expect(await outcome("/elsewhere")).toEqual(taken);
    const { definition } = await shown("elsewhere");
    const changed = { ...definition, path: "/moved" };
    await objectOf("elsewhere").configure("elsewhere", changed, {
      tenant: "default",
      source: "dynamic",
      secret: null,
      code_version: null,
    });
    expect(await outcome("/elsewhere")).toEqual(noTrigger);
    await put("heir", { path: "/heir" });
    await holder("/elsewhere", "heir");
    expect(await outcome("/elsewhere")).toEqual(noTrigger);
  });

  it("[T-20.1] of who has a path are seen where the one before is still remembered", async () => {
    await put("before", { path: "/inherited" });
    await objectOf("before").control("delete");
    await put("after", { path: "/inherited" });
    await holder("/inherited", "before");
    expect(await outcome("/inherited")).toEqual(noTrigger);
    await holder("/inherited", "after");
    const { event_id: id } = await accepted("/inherited", { body });
    expect(await eventIn(id, "dispatched")).toMatchObject({ trigger_id: "after" });
  });

  it("[T-20.1] a delivery that was read for the trigger before has to come again", async () => {
    await put("reader", { path: "/read" });
    await put("follower", { path: "/follower" });
    expect(await outcome("/read")).toEqual(taken);
    await objectOf("reader").control("delete");
    const unsigned = { tenant: "default", source: "dynamic", secret: null, code_version: null } as const;
    const { definition } = await shown("follower");
    await objectOf("follower").configure("follower", { ...definition, path: "/read" }, unsigned);
    await holder("/read", "follower");
    expect(await refusal(issue("/read"))).toMatchObject({
      status: 503,
      detail: "the path goes to another trigger now; deliver again",
    });
    await put("follower", { path: "/read" });
    expect(await outcome("/read")).toEqual(taken);
  });

  it("[T-6.2] a deleted trigger leaves its path to others", async () => {
    await put("leaving", { path: "/left" });
    expect(await outcome("/left")).toEqual(taken);
    expect((await remove("leaving")).status).toBe(204);
    expect(await outcome("/left")).toEqual(noRoute);
    expect(await rows()).not.toHaveProperty("default/left");
    expect((await put("next", { path: "/left" })).status).toBe(200);
    expect(await eventIn((await accepted("/left", { body })).event_id, "dispatched")).toMatchObject({
      trigger_id: "next",
    });
  });
});

describe("one trigger for a path", () => {
  it("[T-20.1] a path that another trigger has is refused, and so are paths that are none", async () => {
    await put("first", { path: "/one" });
    expect(await refusal(put("second", { path: "/one" }))).toMatchObject(conflict("/one"));
    expect(await refusal(get("/v1/triggers/second"))).toMatchObject({ status: 404 });
    expect((await put("first", { path: "/one", match: {} })).status).toBe(200);
    const wrong = await refusal(put("second", { path: "one" }));
    expect(wrong).toMatchObject({ status: 400, detail: "path: trigger 'second' path must start with '/'" });
    expect(await refusal(put("second", { path: "/hooks/one" }))).toMatchObject({ status: 400 });
  });

  it("[T-20.1] a put that is refused gives its path back", async () => {
    await put("fixed", { path: "/fixed" });
    const { definition } = await shown("fixed");
    expect(await refusal(put("fixed", { path: "/wanted", shards: 2 }))).toMatchObject({ code: "invalid_transition" });
    expect(await rows()).toMatchObject({ "default/fixed": "fixed" });
    expect(await rows()).not.toHaveProperty("default/wanted");
    expect(await refusal(put("fixed", { path: "/fixed", shards: 2 }))).toMatchObject({ status: 409 });
    expect(await rows()).toMatchObject({ "default/fixed": "fixed" });
    await holder("/abandoned", "ghost");
    expect(await refusal(put("fixed", { path: "/abandoned", shards: 2 }))).toMatchObject({ status: 409 });
    expect(await rows()).toMatchObject({ "default/abandoned": "ghost" });
    expect((await shown("fixed")).definition).toEqual(definition);
  });

  it("[T-20.1] what a put left that did not come to its end is in nobody's way", async () => {
    await put("living", { path: "/living" });
    await holder("/half", "living");
    await holder("/ghostly", "ghost");
    expect((await put("taker", { path: "/half" })).status).toBe(200);
    expect((await put("taker-2", { path: "/ghostly" })).status).toBe(200);
    expect(await rows()).toMatchObject({
      "default/living": "living",
      "default/half": "taker",
      "default/ghostly": "taker-2",
    });
  });

  it("[T-20.1] puts of several triggers at once leave the path to one of them", async () => {
    const ids = ["race-1", "race-2", "race-3"];
    const answers = await Promise.all(ids.map((id) => put(id, { path: "/race" })));
    const again = await Promise.all(ids.map((id) => put(id, { path: "/race" })));
    const won = (given: readonly Response[]) => ids.filter((_, index) => given[index]?.status === 200);
    expect(won(answers)).toHaveLength(1);
    expect(won(again)).toEqual(won(answers));
    expect(again.map(({ status }) => status).toSorted()).toEqual([200, 400, 400]);
    expect(await rows()).toMatchObject({ "default/race": won(answers)[0] });
    expect(await outcome("/race")).toEqual(taken);
  });
});

const putManifest = (triggers: readonly object[]): Promise<Response> =>
  send("/v1/manifest", {
    method: "PUT",
    headers: { Authorization: `Bearer ${ROOT_KEY}`, "Content-Type": "application/json" },
    body: JSON.stringify({ triggers }),
  });

const table = (id: string, path?: string): object => ({
  id,
  provider: "github",
  secret: SECRET,
  match: {},
  handler: { workflow: "triage" },
  ...(path === undefined ? {} : { path }),
});

const inTable = (at: number, id: string, path: string): string =>
  `[[triggers]] table #${at} (id = ${id}): trigger route '${path}' is configured more than once`;

describe("manifests", () => {
  it("[T-20.1] with a path twice, or one of another's trigger, change nothing", async () => {
    await put("dynamic", { path: "/dynamic" });
    const bad = await refusal(putManifest([table("m-1", "/m"), table("m-2", "/m"), table("m-3", "/dynamic")]));
    expect(bad).toMatchObject({
      status: 400,
      details: {
        issues: [
          { path: "triggers[1].path", message: inTable(2, "m-2", "/m") },
          { path: "triggers[2].path", message: inTable(3, "m-3", "/dynamic") },
        ],
      },
    });
    expect(await rows()).not.toHaveProperty("default/m");
    const unrooted = JSON.stringify(await refusal(putManifest([table("m-1", "m")])));
    expect(unrooted).toContain("table #1 (id = m-1): trigger 'm-1' path must start with '/'");
  });

  it("[T-20.1] may exchange paths, and give one on that a removed trigger had", async () => {
    expect((await putManifest([table("x-1", "/x/1"), table("x-2", "/x/2"), table("x-3", "/x/3")])).status).toBe(200);
    const changed = await putManifest([table("x-1", "/x/2"), table("x-2", "/x/1"), table("x-4", "/x/3")]);
    expect(await changed.json()).toMatchObject({ added: ["x-4"], modified: ["x-1", "x-2"], removed: ["x-3"] });
    const expected = { "/x/1": "x-2", "/x/2": "x-1", "/x/3": "x-4" };
    for (const [path, id] of Object.entries(expected)) {
      expect(await rows()).toMatchObject({ [`default${path}`]: id });
      const { event_id: event } = await accepted(path, { body });
      expect(await eventIn(event, "dispatched")).toMatchObject({ trigger_id: id });
    }
    expect((await putManifest([])).status).toBe(200);
    expect(Object.keys(await rows()).filter((path) => path.startsWith("default/x/"))).toEqual([]);
    expect(await outcome("/x/1")).toEqual(noRoute);
  });
});
