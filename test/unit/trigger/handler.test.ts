import { describe, expect, it } from "vitest";
import { destinationOf, handlerOf } from "../../../src/engine/trigger/handler.ts";
import type { HandlerDefinition } from "../../../src/schema/trigger-handler.ts";

const destination = (definition: HandlerDefinition): string | null => {
  const handler = handlerOf(definition, false);
  return handler === null ? null : destinationOf(handler);
};

describe("what a handler means", () => {
  it.each<[HandlerDefinition, string | null]>([
    [{ uri: "handlers::on_x" }, "local:handlers::on_x"],
    [{ function: "f" }, "local:f"],
    [{ uri: "a2a://host/agent" }, "a2a:a2a://host/agent"],
    [{ a2a: "host/agent" }, "a2a:a2a://host/agent"],
    [{ uri: " worker://triage " }, "worker:worker://triage"],
    [{ queue: "triage" }, "worker:worker://triage"],
    [{ http: { url: "https://x.example", method: "POST" } }, "http:https://x.example"],
    [{ workflow: "w" }, "workflow:workflow://w"],
    [{ uri: "persona://p" }, null],
    [{ uri: "smtp://p" }, null],
    [{}, null],
  ])("[T-12.4] the circuit of %j is %s", (definition, expected) => {
    expect(destination(definition)).toBe(expected);
  });

  it("[T-10] a dispatch that holds a permit ends with its run, unless the handler says otherwise", () => {
    expect(handlerOf({ workflow: "w" }, false)).toMatchObject({ completion: "started", version: null, options: {} });
    expect(handlerOf({ workflow: "w" }, true)).toMatchObject({ completion: "finished" });
    expect(handlerOf({ workflow: "w", completion: "started" }, true)).toMatchObject({ completion: "started" });
  });

  it("[T-11] every call has a time limit, its own or the usual one", () => {
    expect(handlerOf({ function: "f" }, false)).toMatchObject({ timeout_ms: 300_000 });
    expect(handlerOf({ uri: "f", timeout_ms: 7 }, false)).toMatchObject({ timeout_ms: 7 });
    expect(handlerOf({ a2a: "h" }, false)).toMatchObject({ timeout_ms: 60_000, allow_cleartext: false });
    expect(handlerOf({ http: { url: "u", method: "PUT" } }, false)).toMatchObject({
      http: { url: "u", method: "PUT", headers: {}, timeout_ms: 30_000, signing_secret: undefined },
    });
  });
});
