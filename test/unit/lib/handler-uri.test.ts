import { describe, expect, it } from "vitest";
import { parseHandlerReference, parseHandlerUri } from "../../../src/lib/handler-uri.ts";
import { traceParent } from "../../../src/lib/trace-parent.ts";

const error = (result: { readonly ok: boolean; readonly error?: unknown }): unknown =>
  result.ok ? null : result.error;

describe("an address at dispatch", () => {
  it("[T-5.3] names a function, a queue, an agent or a persona, without the spaces around it", () => {
    const parsed = [" m::f ", "worker:// q ", "a2a://h:1/p", "persona://x"].map((text) => parseHandlerUri(text));
    expect(parsed).toEqual([
      { ok: true, value: { kind: "local", function: "m::f", target_uri: "m::f" } },
      { ok: true, value: { kind: "worker", queue: "q", target_uri: "worker://q" } },
      { ok: true, value: { kind: "a2a", target: "h:1/p", target_uri: "a2a://h:1/p" } },
      { ok: true, value: { kind: "persona", name: "x", target_uri: "persona://x" } },
    ]);
  });

  it.each([
    ["  ", "handler URI cannot be empty"],
    ["a2a://", "a2a handler URI target cannot be empty"],
    ["worker:// ", "worker handler URI target cannot be empty"],
    ["persona://", "persona handler URI target cannot be empty"],
    ["smtp://relay", "unsupported handler URI scheme 'smtp'"],
  ])("[T-5.3] refuses %j", (text, message) => {
    expect(error(parseHandlerUri(text))).toBe(message);
  });
});

describe("an address in a definition", () => {
  it.each([
    [" ", "handler cannot be empty"],
    ["a2a://", "handler a2a:// target cannot be empty"],
    ["worker://", "handler worker:// queue cannot be empty"],
    ["persona://", "handler persona:// name cannot be empty"],
    ["persona://x", "handler persona://x does not match a declared persona"],
    ["smtp://relay", "handler URI scheme in 'smtp://relay' is not implemented"],
    ["::f", "handler must use <module>::<function> when module-qualified"],
    ["m::", "handler must use <module>::<function> when module-qualified"],
    ["a::b::1f", "handler function name '1f' is not a valid identifier"],
    ["no-name", "handler 'no-name' is not a valid bare function identifier"],
  ])("[T-5.3] refuses %j", (text, message) => {
    expect(error(parseHandlerReference(text))).toBe(message);
  });

  it("[T-5.3] takes identifiers, behind a module or not, and personas that are declared", () => {
    const good = ["_f1", "a::b::f", "worker://any thing", "a2a://h"].map((text) => parseHandlerReference(text).ok);
    expect(good).toEqual([true, true, true, true]);
    expect(parseHandlerReference("persona://x", ["x"]).ok).toBe(true);
  });
});

describe("the trace of a call", () => {
  it("[T-21] is the UUID of the event's trace, with a span that follows from it", () => {
    const uuid = "01990000-0000-7000-8000-00000000abcd";
    expect(traceParent(`trace_${uuid}`)).toMatch(/^00-0199000000007000800000000000abcd-[0-9a-f]{16}-01$/);
    expect(traceParent(`trace_${uuid}`)).toBe(traceParent(uuid.toUpperCase()));
  });

  it("[T-21] is the start of a digest for any other trace, and never all zero", () => {
    expect(traceParent("trace_inl")).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(traceParent("trace_inl")).not.toBe(traceParent("trace_other"));
    expect(traceParent("0".repeat(32))).not.toContain("0".repeat(32));
  });
});
