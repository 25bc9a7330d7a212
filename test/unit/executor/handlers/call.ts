import { handlerCallFor, handlerOf, type OutsideCall } from "../../../../src/engine/trigger/handler.ts";
import type { HandlerPorts } from "../../../../src/executor/handlers/ports.ts";
import { createRegistry } from "../../../../src/executor/registry.ts";
import type { TriggerEvent } from "../../../../src/schema/trigger.ts";
import type { HandlerDefinition } from "../../../../src/schema/trigger-handler.ts";

/** The event of these tests; a payload may look like a template, and stays as it is. */
export const event = (change: Partial<TriggerEvent> = {}): TriggerEvent => ({
  id: "trigger_evt_1",
  provider: "github",
  kind: "issues.opened",
  received_at: "2026-04-19T12:00:00.000Z",
  occurred_at: null,
  dedupe_key: "d",
  trace_id: "trace_1",
  tenant_id: "acme",
  headers: {},
  provider_payload: { text: "{{secret.TOKEN}}" },
  signature_status: { state: "verified" },
  ...change,
});

/** The call of a handler for that event. */
export const callOf = (
  definition: HandlerDefinition,
  change: { readonly event?: Partial<TriggerEvent>; readonly attempt?: number; readonly replay?: string } = {},
): OutsideCall => {
  const handler = handlerOf(definition, false);
  if (handler === null || handler.kind === "workflow" || handler.kind === "auto_resume")
    throw new Error("not a call to the outside");
  return handlerCallFor(event(change.event), handler, {
    dispatch_id: "dispatch_1",
    attempt: change.attempt ?? 1,
    trigger_id: "hub",
    binding_version: 3,
    replay_of_event_id: change.replay ?? null,
  });
};

/** A request as it went out. */
export interface Sent {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: unknown;
}

/** A network that answers as told and keeps what it was sent; an `Error` means that nobody answers. */
export const network = (respond: (sent: Sent) => Response | Error) => {
  const sent: Sent[] = [];
  const fetcher = (async (input: RequestInfo | URL, init?: RequestInit) => {
    const { body } = init ?? {};
    const one = {
      url: String(input),
      method: init?.method ?? "GET",
      headers: new Headers(init?.headers),
      body: typeof body === "string" ? (JSON.parse(body) as unknown) : undefined,
    };
    sent.push(one);
    const answer = respond(one);
    if (answer instanceof Error) throw answer;
    return answer;
  }) as typeof fetch;
  return { sent, fetcher };
};

/** Ports of which a test needs some; the others refuse to be used. */
export const ports = (given: Partial<HandlerPorts> = {}): HandlerPorts => ({
  env: {},
  fetcher: async () => {
    throw new Error("no network");
  },
  functions: createRegistry({}),
  enqueue: async () => {
    throw new Error("no queue");
  },
  now: () => 1_000_000,
  ...given,
});

/** JSON as a server answers it. */
export const json = (body: unknown, status = 200): Response => Response.json(body, { status });
