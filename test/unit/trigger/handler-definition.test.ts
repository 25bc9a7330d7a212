import { describe, expect, it } from "vitest";
import * as z from "zod";
import { decodeAt } from "../../../src/schema/decode.ts";
import { checkHandler, functionProblem, handlerSchema } from "../../../src/schema/trigger-handler.ts";

const schema = z
  .strictObject({ handler: handlerSchema, allow_cleartext: z.boolean().optional() })
  .superRefine(({ handler, ...beside }, context) =>
    checkHandler(
      handler,
      (path, message) => context.addIssue({ code: "custom", path: ["handler", ...path], message }),
      beside,
    ),
  );

const issues = (handler: unknown, beside = {}): unknown => {
  const read = decodeAt(schema, { handler, ...beside });
  return read.ok ? [] : read.error;
};

const read = (handler: unknown): unknown => {
  const decoded = decodeAt(schema, { handler });
  return decoded.ok ? decoded.value.handler : decoded.error;
};

describe("a handler of a definition", () => {
  it("[T-5.3] a text stands for the address", () => {
    expect(read("worker://q")).toEqual({ uri: "worker://q" });
    expect(read({ uri: "m::f" })).toEqual({ uri: "m::f" });
  });

  it.each([
    [{ workflow: "w", version: 2, task: "t", options: { max_steps: 3 }, completion: "finished" }],
    [{ function: "any name", input: { at: "{{event.id}}" }, timeout_ms: 5 }],
    [{ queue: "q", priority: "high", priority_header: true }],
    [{ a2a: "host:1/agent", allow_cleartext: true, timeout_ms: 9 }],
    [{ http: { url: "https://x.example/{{secret.PATH}}", method: "PUT", headers: { a: "b" }, timeout_ms: 5 } }],
    [{ http: { url: "{{secret.ADDRESS}}/in", method: "POST" } }],
    [{ uri: "a2a://host", allow_cleartext: true, timeout_ms: 1 }],
    [{ uri: "worker://q", priority: "low" }],
    [{ uri: "f", timeout_ms: 1 }],
  ])("[T-5.3] is taken as it is: %j", (handler) => {
    expect(read(handler)).toEqual(handler);
  });

  it("[T-5.3] an HTTP address gets POST unless it says otherwise", () => {
    expect(read({ http: { url: "https://x.example" } })).toEqual({
      http: { url: "https://x.example", method: "POST" },
    });
  });
});

describe("refusals of a handler", () => {
  it.each([
    ["nothing", {}, "handler.workflow"],
    ["two kinds", { workflow: "w", queue: "q" }, "handler.queue"],
    ["another type", 7, "handler"],
    ["an unknown key", { workflow: "w", colour: 1 }, "handler.colour"],
    ["a wrong value", { workflow: "w", completion: "soon" }, "handler.completion"],
    ["a key of another kind", { workflow: "w", timeout_ms: 1 }, "handler.timeout_ms"],
    ["a key of another kind of address", { uri: "worker://q", timeout_ms: 1 }, "handler.timeout_ms"],
    [
      "an option that only a dispatch can say",
      { workflow: "w", options: { trigger_id: "x" } },
      "handler.options.trigger_id",
    ],
    ["a wrong option", { workflow: "w", options: { max_steps: "x" } }, "handler.options.max_steps"],
    ["a blank agent", { a2a: " " }, "handler.a2a"],
    [
      "a secret that is written out",
      { http: { url: "https://u.example", signing_secret: "whsec_x" } },
      "handler.http.signing_secret",
    ],
    ["an address of another kind", { http: { url: "ftp://x.example" } }, "handler.http.url"],
    ["no address", { http: { url: "x.example/in" } }, "handler.http.url"],
    ["a method without a body", { http: { url: "https://x.example", method: "GET" } }, "handler.http.method"],
  ])("[T-5.7] %s", (_what, handler, path) => {
    expect(issues(handler)).toMatchObject([{ path }]);
  });

  it("[T-5.7] one that is left out is told what it can name", () => {
    const message = "give one of `uri`, `workflow`, `function`, `queue`, `a2a`, `http`";
    expect(issues(undefined)).toEqual([{ path: "handler", message }]);
  });

  it("[T-5.3] an address has the specification's texts", () => {
    expect(issues("smtp://x")).toEqual([
      { path: "handler.uri", message: "handler URI scheme in 'smtp://x' is not implemented" },
    ]);
    expect(issues("")).toEqual([{ path: "handler.uri", message: "handler cannot be empty" }]);
  });

  it("[T-5.3] a function that nobody has registered is named", () => {
    const text = "handler 'm::f' is not exported by the resolved module";
    expect([functionProblem({ uri: "m::f" }, ["f"]), functionProblem({ function: "m::f" }, [])]).toEqual([text, text]);
    expect(functionProblem({ uri: " m::f " }, ["m::f"])).toBe(null);
    expect([functionProblem({ uri: "worker://q" }, []), functionProblem({ workflow: "w" }, [])]).toEqual([null, null]);
  });

  it("[T-5.7] cleartext is for remote agents only, wherever it stands", () => {
    const message = "`allow_cleartext` is only valid for `a2a://...` handlers";
    expect(issues({ queue: "q", allow_cleartext: true })).toEqual([{ path: "handler.allow_cleartext", message }]);
    expect(issues("worker://q", { allow_cleartext: false })).toEqual([{ path: "handler.allow_cleartext", message }]);
    expect(issues({ uri: "f", allow_cleartext: true })).toEqual([{ path: "handler.allow_cleartext", message }]);
    expect(issues("a2a://h", { allow_cleartext: true })).toEqual([]);
  });
});
