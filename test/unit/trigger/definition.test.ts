import { describe, expect, it } from "vitest";
import { secretVariable, triggerIdSchema } from "../../../src/schema/trigger-definition.ts";
import { definition, issuesOf, written } from "./fixture.ts";

describe("valid definitions", () => {
  it("[T-5.1] the shortest definition gets its defaults", () => {
    expect(definition({ match: undefined })).toEqual({
      provider: "github",
      secret: "s3cr3t",
      match: {},
      handler: { workflow: "triage" },
      dedupe: {},
      max_body_bytes: 1_048_576,
    });
  });

  it("[T-5.1] every key that works is accepted", () => {
    const all = {
      provider: "webhook",
      kind: "webhook",
      secret: undefined,
      secret_ref: "webhook/signing_secret@3",
      signature_scheme: "stripe",
      match: { events: ["invoice.paid"] },
      handler: { workflow: "w", version: 2, task: "{{trigger_event.kind}}", options: { max_steps: 3 } },
      source: "shop",
      dedupe: { retention_days: 7 },
      max_body_bytes: 10,
      state: "paused",
    };
    const { secret: _none, ...expected } = all;
    expect(definition(all)).toEqual(expected);
  });
});

const optionIssues = (options: unknown): unknown => issuesOf(written({ handler: { workflow: "w", options } }));

const secretIssues = (signature_scheme: string, secret: string): unknown =>
  issuesOf(written({ provider: "webhook", match: {}, signature_scheme, secret }));

describe("refusals", () => {
  it("[T-5.1] a key that is not available yet is refused by name and path, not ignored", () => {
    const keys = "window dlq_alerts secrets poll topic subject slot persona";
    for (const key of keys.split(" ")) {
      expect(issuesOf(written({ [key]: "x" }))).toEqual([
        { path: key, message: `\`${key}\` is not available yet; leave it out` },
      ]);
    }
  });

  it("[T-5.1] every unknown key has its own path, and the message of the schema names all of them", () => {
    expect(issuesOf(written({ foo: 1, bar: 2, match: { event: [] } }))).toEqual([
      { path: "match.event", message: "unknown key `event`" },
      { path: "foo", message: "unknown key `foo`; unknown key `bar`" },
      { path: "bar", message: "unknown key `foo`; unknown key `bar`" },
    ]);
  });

  it("[T-5.7] the provider must be known and support the kind", () => {
    expect(issuesOf(written({ provider: undefined }))).toContainEqual({
      path: "provider",
      message: "trigger table missing provider",
    });
    expect(issuesOf(written({ provider: "gitlab" }))).toContainEqual({
      path: "provider",
      message: "provider 'gitlab' is not registered",
    });
    expect(issuesOf(written({ kind: "cron" }))).toEqual([
      { path: "kind", message: "provider 'github' does not support trigger kind 'cron'" },
    ]);
  });

  it("[T-19.1] a secret that no header can carry is refused: it would never verify", () => {
    const refused = [{ path: "secret", message: "white space in it does not survive the header it is sent in" }];
    expect(secretIssues("bearer", "a long text")).toEqual(refused);
    expect(secretIssues("api_key", " text")).toEqual(refused);
    expect([
      secretIssues("bearer", "text"),
      secretIssues("api_key", "a long text"),
      secretIssues("hmac", "a text"),
    ]).toEqual([[], [], [{ path: "hmac", message: "the scheme `hmac` requires `hmac.header`" }]]);
  });

  it("[T-5.7] a predicate of neither form is told both, and where it falls short", () => {
    const forms = 'must be an expression, or a question as `{"model": {"prompt": ...}}`';
    const where = "in `when.model.prompt`: Invalid input: expected string, received undefined";
    expect(issuesOf(written({ when: { model: {} } }))).toEqual([{ path: "when", message: `${forms}; ${where}` }]);
    expect(issuesOf(written({ when: 5 }))).toEqual([{ path: "when", message: forms }]);
  });

  it("[T-5.7] exactly one secret is required, with a reference of its provider", () => {
    expect(issuesOf(written({ secret: undefined }))).toEqual([
      { path: "secret", message: "provider 'github' requires secret 'github/signing_secret'" },
    ]);
    expect(issuesOf(written({ secret_ref: "github/signing_secret" }))).toEqual([
      { path: "secret_ref", message: "give `secret` or `secret_ref`, not both" },
    ]);
    expect(issuesOf(written({ secret: undefined, secret_ref: "signing_secret" }))).toEqual([
      { path: "secret_ref", message: "secret 'secret_ref' must use <namespace>/<name> syntax" },
    ]);
    expect(issuesOf(written({ secret: undefined, secret_ref: "slack/signing_secret" }))).toEqual([
      { path: "secret_ref", message: "secret 'secret_ref' uses namespace 'slack' but provider is 'github'" },
    ]);
    expect(issuesOf(written({ secret: "" })).map((issue) => issue.path)).toEqual(["secret"]);
    expect(issuesOf(written({ secret: "x".repeat(1001) })).map((issue) => issue.path)).toEqual(["secret"]);
  });

  it("[T-19.2] the secret of a Standard Webhooks sender must be base64", () => {
    const generic = { provider: "webhook" };
    const paths = (change: object): readonly string[] =>
      issuesOf(written({ ...generic, ...change })).map((one) => one.path);
    expect(paths({ secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" })).toEqual([]);
    expect(paths({ secret: "c2VjcmV0" })).toEqual([]);
    expect(paths({ secret: "no-base64" })).toEqual(["secret"]);
    expect(paths({ secret: "whsec_" })).toEqual(["secret"]);
    expect(paths({ secret: "no-base64", signature_scheme: "github" })).toEqual([]);
  });

  it("[T-5.1] keys of the generic webhook are refused for GitHub", () => {
    const issues = issuesOf(written({ signature_scheme: "stripe", source: "x" }));
    expect(issues.map((issue) => issue.path)).toEqual(["signature_scheme", "source"]);
    expect(issuesOf(written({ signature_scheme: "github" }))).toEqual([]);
  });

  it.each<[string, Readonly<Record<string, unknown>>]>([
    ["handler", { handler: undefined }],
    ["handler.workflow", { handler: {} }],
    ["handler.version", { handler: { workflow: "w", version: 0 } }],
    ["match.events[0]", { match: { events: [1] } }],
    ["dedupe.retention_days", { dedupe: { retention_days: 0 } }],
    ["max_body_bytes", { max_body_bytes: 2_097_153 }],
    ["state", { state: "deleted" }],
  ])("[T-5.7] names the path of a bad %s", (path, change) => {
    expect(issuesOf(written(change)).map((issue) => issue.path)).toEqual([path]);
  });

  it("[T-5.1] options of the run are checked when the trigger is put, and those of the dispatch are refused", () => {
    expect(optionIssues({ max_steps: Number.POSITIVE_INFINITY })).toMatchObject([
      { path: "handler.options.max_steps" },
    ]);
    expect(optionIssues({ audit: 7 })).toMatchObject([{ path: "handler.options.audit" }]);
    for (const key of ["trigger_event", "trigger_id", "resume_run", "replay_run"]) {
      expect(optionIssues({ [key]: null })).toEqual([
        { path: `handler.options.${key}`, message: `\`${key}\` cannot be given for a trigger` },
      ]);
    }
  });

  it("[T-5.1] a definition is small, because every event keeps it, and its names can be stored", () => {
    const large = written({ handler: { workflow: "w", options: { note: "x".repeat(65_536) } } });
    expect(issuesOf(large)).toMatchObject([{ path: ".", message: expect.stringContaining("more than 65536") }]);
    const lone = written({ handler: { workflow: "\ud800" } });
    expect(issuesOf(lone)).toEqual([{ path: "handler.workflow", message: "must not contain lone surrogates" }]);
    expect(issuesOf(written({ match: { path: "x".repeat(501) } }))).toMatchObject([{ path: "match.path" }]);
  });

  it("[T-5.9] a reference names a variable of the deployment", () => {
    expect(secretVariable("github/signing_secret")).toBe("GODWIT_SECRET_GITHUB_SIGNING_SECRET");
    expect(secretVariable("webhook/shop.eu--1@3")).toBe("GODWIT_SECRET_WEBHOOK_SHOP_EU_1_V3");
  });

  it("[T-5.7] what is no object is refused", () => {
    for (const input of [null, [], "x", undefined]) expect(issuesOf(input)).toHaveLength(1);
  });
});

it("[T-6.1] a trigger id is fit for an address", () => {
  for (const id of ["hub", "github.issues", "a-b_c", "1"]) expect(triggerIdSchema.safeParse(id).success).toBe(true);
  for (const id of ["", ".a", "a/b", "a b", "x".repeat(129), "ü"]) {
    expect(triggerIdSchema.safeParse(id).success).toBe(false);
  }
});
