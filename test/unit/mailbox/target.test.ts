import { describe, expect, it } from "vitest";
import { mailboxName, mailboxTarget, updateRequestId } from "../../../src/engine/mailbox/target.ts";
import type { Json } from "../../../src/lib/json.ts";

const target = (given: Json | undefined): unknown => {
  const named = mailboxTarget(given, "workflow.signal");
  return named.ok ? named.value : named.error;
};

const idOf = (given: Json): unknown => (target(given) as { workflow_id?: string }).workflow_id;

const dirOf = (given: Readonly<Record<string, Json>>): unknown =>
  (target({ workflow_id: "w", ...given }) as { base_dir?: unknown }).base_dir;

describe("a mailbox's target", () => {
  it("[W-13] is an id or an object that leads to one; the first that says something counts", () => {
    expect(idOf("wf")).toBe("wf");
    expect(idOf({ workflow_id: "a", workflow: "b" })).toBe("a");
    expect(idOf({ workflow_id: " ", workflow: "b" })).toBe("b");
    expect(idOf({ run: { workflow_id: "c" } })).toBe("c");
    expect(idOf({ result: { run: { workflow_id: "d" } } })).toBe("d");
  });

  it("[W-13] never leads anywhere: only the last segment counts, and one that says nothing is `workflow`", () => {
    expect(["../../etc/passwd", "a\\b", "a/b/", " x "].map(idOf)).toEqual(["passwd", "b", "b", "x"]);
    expect(["", ".", " .. ", "a/..", "/"].map(idOf)).toEqual(Array.from({ length: 5 }, () => "workflow"));
  });

  it("[W-13] says which directory it came from", () => {
    expect(dirOf({})).toBeNull();
    expect(dirOf({ base_dir: "/b", path: "/p/run.json" })).toBe("/b");
    expect(dirOf({ path: "/p/run.json" })).toBe("/p");
    expect(dirOf({ persisted_path: "/p/.harn-runs/run.json" })).toBe("/p");
    expect(dirOf({ run: { persisted_path: "/q/r.json" } })).toBe("/q");
    expect(dirOf({ result: { run: { persisted_path: "/r.json" } } })).toBe("/");
    expect(dirOf({ path: "run.json" })).toBe("");
  });

  it("[W-13] is refused with the operation's name when it names nothing", () => {
    expect([target(undefined), target(null)]).toEqual(
      Array.from({ length: 2 }, () => "workflow.signal: missing target"),
    );
    const text = "workflow.signal: target must be a workflow id string or dict with workflow_id/workflow";
    expect([7, true, [], {}, { nothing: 1 }, { workflow_id: 7 }].map(target)).toEqual(
      Array.from({ length: 6 }, () => text),
    );
  });
});

describe("names and request ids", () => {
  it("[W-13] are texts that say something", () => {
    expect(mailboxName("n", "workflow.query")).toEqual({ ok: true, value: "n" });
    for (const name of [undefined, null, "", 7])
      expect(mailboxName(name, "workflow.query")).toEqual({ ok: false, error: "workflow.query: missing name" });
    expect(updateRequestId("r", "workflow.respond_update")).toEqual({ ok: true, value: "r" });
    expect(updateRequestId("", "workflow.respond_update")).toEqual({
      ok: false,
      error: "workflow.respond_update: missing request id",
    });
  });
});
