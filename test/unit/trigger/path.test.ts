import { describe, expect, it } from "vitest";
import { isTriggerPath, pathOf, pathProblem, routeTaken } from "../../../src/schema/trigger-path.ts";
import { definition, issuesOf, stored, written } from "./fixture.ts";

const pathIssues = (change: Readonly<Record<string, unknown>>): unknown => issuesOf(written(change));

const noPath = (provider: string): string => `provider '${provider}' takes no deliveries and has no path`;

describe("the path of a trigger", () => {
  it("[T-5.5] is kept in one place, whichever name it is given under", () => {
    const events = ["issues.opened"];
    expect(definition({ path: "/gh/issues" })).toMatchObject({ path: "/gh/issues", match: { events } });
    const aliased = definition({ match: { events, path: "/gh/issues" } });
    expect(aliased).toEqual(definition({ path: "/gh/issues" }));
    expect(definition({ path: "/gh/issues", match: { events, path: "/gh/issues" } })).toEqual(aliased);
    expect(stored({ match: { path: "/gh/issues" } })).toMatchObject({ path: "/gh/issues", match: {} });
    expect(stored({ match: { path: "/gh/issues" } }).match).not.toHaveProperty("path");
  });

  it("[T-5.5] given under both names is the same under both", () => {
    expect(pathIssues({ path: "/a", match: { path: "/b" } })).toEqual([
      { path: "match.path", message: "`match.path` is another name of `path`: give one of them" },
    ]);
  });

  it("[T-20.1] is `/triggers/<id>` unless it is given, and starts with `/`", () => {
    expect(pathOf("hub", {})).toBe("/triggers/hub");
    expect(pathOf("hub", { path: "/gh" })).toBe("/gh");
    expect(pathProblem("hub", { path: "gh" })).toBe("trigger 'hub' path must start with '/'");
    expect(pathProblem("hub", { path: "" })).toBe("trigger 'hub' path must start with '/'");
    expect(pathProblem("hub", { path: "/gh" })).toBeNull();
    expect(pathProblem("hub", {})).toBeNull();
    expect(routeTaken("/gh")).toBe("trigger route '/gh' is configured more than once");
  });

  it.each([
    ["/", "must not have empty segments"],
    ["//gh", "must not have empty segments"],
    ["/gh/", "must not have empty segments"],
    ["/gh//x", "must not have empty segments"],
    ["/gh/../x", "must not have segments `.` and `..`"],
    ["/.", "must not have segments `.` and `..`"],
    ["/gh?x=1", "without query or fragment"],
    ["/gh#x", "without query or fragment"],
    ["/gh/%2e%2e", "must be segments of letters"],
    ["/g h", "must be segments of letters"],
    ["/gh\n", "must be segments of letters"],
    ["/\u{d800}", "must be segments of letters"],
    ["/v1/runs", "`/v1` belongs to the deployment itself"],
    ["/V1", "`/V1` belongs to the deployment itself"],
    ["/hooks/x", "`/hooks` belongs to the deployment itself"],
    ["/tenant/a/b", "`/tenant` belongs to the deployment itself"],
    ["/triggers/other", "`/triggers` belongs to the deployment itself"],
    [`/${"x".repeat(500)}`, "500"],
  ])("[T-20.1] %j is refused", (path, message) => {
    expect(pathIssues({ path })).toEqual([{ path: "path", message: expect.stringContaining(message) }]);
    expect(pathIssues({ match: { path } })).toEqual([
      { path: "match.path", message: expect.stringContaining(message) },
    ]);
    expect(isTriggerPath(path)).toBe(false);
  });

  it.each(["/gh", "/a2a/review", "/a/.b/c..d", "/!$&'()*+,;=:@._~-", `/${"x".repeat(499)}`])(
    "[T-20.1] %j is accepted, and is what the parser of addresses makes of it",
    (path) => {
      expect(pathIssues({ path })).toEqual([]);
      expect(isTriggerPath(path)).toBe(true);
      expect(new URL(`https://godwit.test${path}`).pathname).toBe(path);
    },
  );

  it("[T-20.1] is for triggers with deliveries only", () => {
    const cron = { provider: "cron", schedule: "* * * * *", secret: undefined, match: {}, path: "/tick" };
    expect(pathIssues(cron)).toEqual([{ path: "path", message: noPath("cron") }]);
    const manual = { provider: "manual", secret: undefined, match: { path: "x" } };
    expect(pathIssues(manual)).toEqual([{ path: "match.path", message: noPath("manual") }]);
  });
});
