import { describe, expect, it } from "vitest";
import { spreadManifest, tablePrefix } from "../../../src/engine/trigger/manifest-sources.ts";
import { planManifest, sharedIdProblem } from "../../../src/engine/trigger/manifest.ts";
import { tenantTopic } from "../../../src/engine/trigger/topics.ts";
import type { JsonObject } from "../../../src/lib/json.ts";

const one = (id: string, fingerprint = "a") => ({ id, fingerprint });
const owned = (id: string, fingerprint = "a") => ({ id, fingerprint, source: "manifest" as const });

const problem = (index: number, message: string) => ({ ok: false, error: { index, message } });

describe("plan", () => {
  it("[T-6.2] says what is added, modified, removed and unchanged, and leaves other triggers alone", () => {
    const existing = [owned("same"), owned("other"), owned("gone"), { ...owned("dyn"), source: "dynamic" as const }];
    expect(planManifest(existing, [one("new"), one("same"), one("other", "b")])).toEqual({
      ok: true,
      value: { added: ["new"], modified: ["other"], removed: ["gone"], unchanged: ["same"] },
    });
    expect(planManifest(existing, [])).toMatchObject({ value: { removed: ["same", "other", "gone"] } });
  });

  it("[T-6.2] an id that is repeated, blank, another's or not a manifest's spoils the whole", () => {
    const dynamic = [{ ...owned("dyn"), source: "dynamic" as const }];
    expect(planManifest([], [one("a"), one("a", "b")])).toEqual(problem(1, "duplicate trigger id 'a'"));
    expect(planManifest([], [one("a"), one(" ")])).toEqual(problem(1, "manifest trigger id cannot be empty"));
    expect(planManifest(dynamic, [one("dyn")])).toEqual(problem(0, "duplicate trigger id 'dyn'"));
    expect(planManifest([], [{ ...one("x"), source: "dynamic" }])).toEqual(
      problem(0, "manifest install received non-manifest trigger 'x'"),
    );
  });

  it("[T-5.7] an id may be in one of several manifests only", () => {
    expect(sharedIdProblem([[one("a"), one("a")], [one("b")]])).toBeNull();
    expect(sharedIdProblem([[one("a")], [one("b"), one("a")]])).toBe(
      "duplicate trigger id 'a' across loaded manifests",
    );
  });
});

const table = (definition: JsonObject, id = "hub") => ({ id, definition });

describe("sources", () => {
  it("[T-5.6] each source is a trigger with the keys of its own, the parent's, or both", () => {
    const parent = {
      id: "hub",
      kind: "cron",
      provider: "ignored",
      match: { events: ["ignored"] },
      handler: { workflow: "w" },
      when: "event.kind == 'x'",
      retry: { max: 3, backoff: "svix" },
      secrets: { a: "p/a", b: "p/b" },
      poll: { interval_ms: 5, state_key: "k" },
      max_body_bytes: 10,
      secret: "parent",
      sources: [
        {
          id: "one",
          kind: "webhook",
          provider: "github",
          match: { events: ["push"] },
          handler: { workflow: "not this" },
          retry: { max: 9 },
          secrets: { b: "s/b" },
          poll: { interval_ms: 7 },
          secret_ref: "github/x",
        },
        { provider: "webhook", match: {} },
      ],
    };
    const { triggers, problems } = spreadManifest([table(parent)]);
    expect(problems).toEqual([]);
    expect(triggers).toEqual([
      {
        id: "hub.one",
        table: 0,
        source: 0,
        definition: {
          kind: "webhook",
          provider: "github",
          match: { events: ["push"] },
          handler: { workflow: "w" },
          when: "event.kind == 'x'",
          retry: { max: 9 },
          secrets: { a: "p/a", b: "s/b" },
          poll: { interval_ms: 7, state_key: "k" },
          max_body_bytes: 10,
          secret_ref: "github/x",
        },
      },
      {
        id: "hub.source-2",
        table: 0,
        source: 1,
        definition: {
          provider: "webhook",
          match: {},
          handler: { workflow: "w" },
          when: "event.kind == 'x'",
          retry: { max: 3, backoff: "svix" },
          secrets: { a: "p/a", b: "p/b" },
          poll: { interval_ms: 5, state_key: "k" },
          max_body_bytes: 10,
          secret: "parent",
        },
      },
    ]);
  });

  it("[T-5.6] a table without sources is one trigger", () => {
    expect(spreadManifest([table({ id: "hub", provider: "github", sources: [] })])).toEqual({
      triggers: [{ id: "hub", table: 0, source: null, definition: { provider: "github" } }],
      problems: [],
    });
  });

  it("[T-5.7] a table or a source that has not the shape of a trigger is told with its place", () => {
    const { problems } = spreadManifest([
      table({}, "a"),
      table({ kind: "cron" }, "b"),
      table({ sources: [{ id: "x", provider: "github" }, { match: {} }, 1] }, "c"),
    ]);
    expect(problems.map((problem) => `${tablePrefix(problem)}${problem.message}`)).toEqual([
      "[[triggers]] table #1 (id = a): trigger table must set kind/provider or declare one or more sources",
      "[[triggers]] table #2 (id = b): trigger table missing provider",
      "[[triggers]] table #3 (id = c.x): trigger source 'x' missing match",
      "[[triggers]] table #3 (id = c.source-2): trigger table missing provider",
      "[[triggers]] table #3 (id = c.source-3): trigger source 'source-3' must be an object",
    ]);
  });
});

describe("topics", () => {
  it("[T-24] a topic has its tenant's prefix once, and none of another tenant", () => {
    expect(tenantTopic("a_b-C1", "trigger.outbox")).toEqual({ ok: true, value: "tenant.a_b-C1.trigger.outbox" });
    expect(tenantTopic("a", "tenant.a.x")).toEqual({ ok: true, value: "tenant.a.x" });
    expect(tenantTopic("a", "tenant.ab.x")).toEqual({
      ok: false,
      error: "topic 'tenant.ab.x' is outside tenant scope 'a'",
    });
    expect(tenantTopic(" ", "x")).toEqual({ ok: false, error: "tenant id cannot be empty" });
    expect(tenantTopic("a/b", "x")).toEqual({
      ok: false,
      error: "tenant id 'a/b' contains unsupported characters; use ASCII letters, numbers, '_' or '-'",
    });
  });
});
