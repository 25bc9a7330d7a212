import { describe, expect, it } from "vitest";
import { parseResumeConditions } from "../../../src/engine/worker/resume-conditions.ts";
import type { Json, JsonObject } from "../../../src/lib/json.ts";
import { checkTrigger } from "../../../src/schema/resume-trigger.ts";
import { errorOf, valueOf } from "../graph/fixture.ts";

const parse = (value: Json | undefined, check: (definition: JsonObject) => string | null = () => null) =>
  parseResumeConditions(value, check);

const ACTIONS = "expected one of: resume_with_summary, fail, resume_with_input";

describe("resume conditions", () => {
  it("[L-18.1] hold only what is given; nothing is none", () => {
    expect(valueOf(parse(undefined))).toBeNull();
    expect(valueOf(parse(null))).toBeNull();
    expect(valueOf(parse({}))).toEqual({});
    expect(valueOf(parse({ trigger: null, timeout: null, on_event: null }))).toEqual({});
    expect(
      valueOf(parse({ trigger: { provider: "github" }, timeout: { duration_minutes: 5 }, on_event: " a.b " })),
    ).toEqual({
      trigger: { provider: "github" },
      timeout: { duration_minutes: 5, on_timeout: "resume_with_summary" },
      on_event: "a.b",
    });
  });

  it.each([
    ["x", "root: expected dict or nil, got string"],
    [[], "root: expected dict or nil, got list"],
    [true, "root: expected dict or nil, got bool"],
    [1.5, "root: expected dict or nil, got float"],
    [{ until: 1 }, "until: unknown field; expected trigger, timeout, or on_event"],
    [{ trigger: "x" }, "trigger: expected dict or nil, got string"],
    [{ timeout: 5 }, "timeout: expected dict or nil, got int"],
    [{ timeout: {} }, "timeout.duration_minutes: must be a positive int"],
    [{ timeout: { duration_minutes: 0 } }, "timeout.duration_minutes: must be a positive int"],
    [{ timeout: { duration_minutes: 1.5 } }, "timeout.duration_minutes: must be a positive int"],
    [
      { timeout: { duration_minutes: 1, minutes: 1 } },
      "timeout.minutes: unknown field; expected duration_minutes or on_timeout",
    ],
    [
      { timeout: { duration_minutes: 1, on_timeout: "explode" } },
      `timeout.on_timeout: unsupported action \`explode\`; ${ACTIONS}`,
    ],
    [{ timeout: { duration_minutes: 1, on_timeout: 5 } }, "timeout.on_timeout: expected string, got int"],
    [{ on_event: 5 }, "on_event: expected string or nil, got int"],
    [{ on_event: "  " }, "on_event: must be a non-empty string"],
  ] as const)("[L-18.1] %j is refused", (value, text) => {
    expect(errorOf(parse(value))).toBe(`HARN-SUS-002: invalid ResumeConditions.${text}`);
  });

  it("[L-18.1] a channel has a name that a topic can have", () => {
    expect(errorOf(parse({ on_event: "a b" }))).toMatch(
      /^HARN-SUS-002: invalid ResumeConditions.on_event: invalid runtime event channel: 'a b'/,
    );
  });

  it("[L-18.1] a trigger is judged with a handler that stands in for its own, and kept as it was given", () => {
    const seen: JsonObject[] = [];
    const check = (definition: JsonObject) => {
      seen.push(definition);
      return definition["provider"] === "github" ? null : "trigger table missing provider";
    };
    expect(valueOf(parse({ trigger: { provider: "github" } }, check))).toEqual({ trigger: { provider: "github" } });
    expect(valueOf(parse({ trigger: { provider: "github", handler: "worker://q" } }, check))).toMatchObject({});
    expect(seen.map(({ handler }) => handler)).toEqual(["worker://__resume_auto_resume__", "worker://q"]);
    expect(errorOf(parse({ trigger: {} }, check))).toBe(
      "HARN-SUS-002: invalid ResumeConditions.trigger: trigger table missing provider",
    );
  });
});

describe("the definition of a trigger that wakes a worker", () => {
  it("[L-18.1] names a provider and the kinds of events", () => {
    expect(
      checkTrigger({ provider: "github", secret_ref: "github/hook", match: { events: ["issues.opened"] } }),
    ).toBeNull();
    expect(checkTrigger({ provider: "manual", kind: "issues.opened" })).toBeNull();
    expect(checkTrigger({})).toBe("trigger table missing provider");
    expect(checkTrigger({ provider: "" })).toBe("trigger table missing provider");
    expect(checkTrigger({ provider: "github", match: { events: [5] } })).toMatch(/^match.events\[0\]: /);
  });

  it("[L-18.1] what is wrong with it is told as that of the conditions", () => {
    expect(errorOf(parse({ trigger: { kind: "x" } }, checkTrigger))).toBe(
      "HARN-SUS-002: invalid ResumeConditions.trigger: trigger table missing provider",
    );
  });
});
