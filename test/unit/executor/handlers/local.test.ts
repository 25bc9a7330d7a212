import { describe, expect, it } from "vitest";
import { performHandler } from "../../../../src/executor/handlers/perform.ts";
import { createRegistry } from "../../../../src/executor/registry.ts";
import type { FunctionHandler } from "../../../../src/ports/functions.ts";
import type { HandlerDefinition } from "../../../../src/schema/trigger-handler.ts";
import { callOf, event, ports } from "./call.ts";

const never = new AbortController().signal;

const perform = (f: FunctionHandler, definition: HandlerDefinition = { uri: "f" }, signal = never) =>
  performHandler(callOf(definition, { replay: "trigger_evt_0" }), ports({ functions: createRegistry({ f }) }), signal);

const thrower =
  (value: unknown): FunctionHandler =>
  () => {
    throw value;
  };

describe("a local handler", () => {
  it("[T-11.1] gets the event, and what it returns is the result", async () => {
    expect(await perform((input) => input)).toEqual({ type: "succeeded", result: event() });
  });

  it("[T-8] is told of its dispatch, and of the event that is replayed", async () => {
    const seen: unknown[] = [];
    await perform((_input, { signal: _signal, ...context }) => {
      seen.push(context);
      return null;
    });
    expect(seen).toEqual([
      {
        run_id: "dispatch_1",
        stage_id: "dispatch_1",
        node_id: "hub",
        attempt: 1,
        idempotency_key: "dispatch_1",
        trigger: {
          agent: "hub",
          action: "github.issues.opened",
          trace_id: "trace_1",
          replay_of_event_id: "trigger_evt_0",
          trigger_event: event(),
        },
      },
    ]);
  });

  it("[T-11.1] gets the input of its definition with the event filled in, in which no secret is", async () => {
    const input = { kind: "{{event.kind}}", text: "{{event.provider_payload.text}}" };
    expect(await perform((given) => given, { function: "f", input })).toEqual({
      type: "succeeded",
      result: { kind: "issues.opened", text: "{{secret.TOKEN}}" },
    });
    expect(await perform(() => 1, { function: "f", input: "{{event.nothing}}" })).toEqual({
      type: "failed",
      class: "local",
      error: "the handler's input names `event.nothing`, which the event does not have",
      retryable: false,
    });
  });

  it.each([
    [new Error("boom"), "local", "boom", true],
    ["boom", "local", "boom", true],
    [7, "local", "it threw a value without a message", true],
    [Object.assign(new Error("late"), { category: "timeout" }), "timeout", "late", true],
    [Object.assign(new Error("no"), { category: "tool_rejected" }), "denied", "no", false],
    [Object.assign(new Error("end"), { category: "cancelled" }), "cancelled", "end", false],
    ["kind:cancelled: by hand", "cancelled", "kind:cancelled: by hand", false],
  ])("[T-8] fails with what it threw: %s", async (thrown, kind, error, retryable) => {
    expect(await perform(thrower(thrown))).toEqual({ type: "failed", class: kind, error, retryable });
  });

  it("[T-8] is not implemented when nobody has registered it", async () => {
    expect(await perform(() => 1, { uri: "g" })).toEqual({
      type: "failed",
      class: "not_implemented",
      error: 'no function "g" is registered; registered: f',
      retryable: false,
    });
  });

  it("[T-11.1] fails for good when it returns what JSON cannot carry, and returns null for nothing", async () => {
    const odd = (() => ({ at: new Date(0) })) as unknown as FunctionHandler;
    expect(await perform(odd)).toMatchObject({ type: "failed", class: "local", retryable: false });
    expect(await perform((() => undefined) as unknown as FunctionHandler)).toEqual({ type: "succeeded", result: null });
  });

  it("[T-11] keeps of a result that is too large its size and its beginning", async () => {
    const outcome = await perform(() => "x".repeat(300_000));
    expect(outcome).toMatchObject({ type: "succeeded", result: { truncated: true, bytes: 300_002 } });
    expect(JSON.stringify(outcome).length).toBeLessThan(2_000);
  });

  it("[T-8] ends with its time", async () => {
    const outcome = await perform(() => Promise.withResolvers<null>().promise, { uri: "f", timeout_ms: 1 });
    const error = "handler timed out after 1 ms";
    expect(outcome).toEqual({ type: "failed", class: "timeout", error, retryable: true });
  });
});

it("[T-11.1] no secret of the deployment is in what a handler leaves behind", async () => {
  const env = { GODWIT_SECRET_TOKEN: "s3cr3t-token" };
  const functions = createRegistry({
    leak: () => ({ at: "it is s3cr3t-token" }),
    shout: () => Promise.reject(new Error("s3cr3t-token is wrong")),
  });
  const outcomes = ["leak", "shout"].map((uri) => performHandler(callOf({ uri }), ports({ functions, env }), never));
  expect(await Promise.all(outcomes)).toMatchObject([
    { result: { at: "it is [redacted]" } },
    { error: "[redacted] is wrong" },
  ]);
});

describe("a local handler that is cancelled", () => {
  it.each(["trigger cancel request", "dispatcher shutdown"])("[T-11.1] by a %s loses its result", async (cause) => {
    const controller = new AbortController();
    let told: unknown;
    const outcome = await perform(
      (_input, { signal }) => {
        controller.abort(cause);
        told = signal.reason;
        return "done";
      },
      { uri: "f" },
      controller.signal,
    );
    const error = `${cause} cancelled local handler`;
    expect(outcome).toEqual({ type: "failed", class: "cancelled", error, retryable: false });
    expect(told).toBe(cause);
  });

  it("[T-11.1] before its start is not called", async () => {
    let called = false;
    const outcome = await perform(
      () => {
        called = true;
        return null;
      },
      { uri: "f" },
      AbortSignal.abort("dispatcher shutdown"),
    );
    expect(outcome).toMatchObject({ error: "dispatcher shutdown cancelled local handler" });
    expect(called).toBe(false);
  });
});
