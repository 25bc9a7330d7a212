import type { Json, JsonObject } from "../../lib/json.ts";
import { parseHandlerUri } from "../../lib/handler-uri.ts";
import type { TriggerEvent } from "../../schema/trigger.ts";
import type { HandlerDefinition } from "../../schema/trigger-handler.ts";
import type { JobPriority } from "../work-queue/job.ts";
import type { RunRequest } from "./dispatch.ts";

/** The kinds of handlers; an HTTP address is Godwit's own (spec/triggers 5.3). */
export type HandlerKind = "workflow" | "local" | "http" | "worker" | "a2a" | "auto_resume";

/** What a definition says about its handler, with every default filled in. */
export type Handler =
  | {
      readonly kind: "workflow";
      readonly target_uri: string;
      readonly workflow: string;
      readonly version: number | null;
      readonly task: string | undefined;
      readonly options: JsonObject;
      readonly completion: "started" | "finished";
    }
  | {
      readonly kind: "local";
      readonly target_uri: string;
      readonly function: string;
      /** Stands in for the event where it is given; `{{event.<path>}}` is filled in. */
      readonly input: Json | undefined;
      readonly timeout_ms: number;
    }
  | { readonly kind: "http"; readonly target_uri: string; readonly http: HttpTarget }
  | {
      readonly kind: "worker";
      readonly target_uri: string;
      readonly queue: string;
      readonly priority: JobPriority | null;
      readonly priority_header: boolean;
    }
  | {
      readonly kind: "a2a";
      readonly target_uri: string;
      /** `<authority>[/path]`. */
      readonly target: string;
      readonly allow_cleartext: boolean;
      readonly timeout_ms: number;
    }
  | ({ readonly kind: "auto_resume"; readonly target_uri: string } & ResumeTarget);

/** The suspension that an event ends (spec/workers 18.2). */
export interface ResumeTarget {
  readonly worker_id: string;
  readonly suspended_at: string;
}

/** Where an HTTP handler's events go; texts may hold `{{secret.NAME}}`. */
export interface HttpTarget {
  readonly url: string;
  readonly method: "POST" | "PUT" | "PATCH";
  readonly headers: Readonly<Record<string, string>>;
  /** `{{secret.NAME}}`: what the calls are signed with. */
  readonly signing_secret: string | undefined;
  readonly timeout_ms: number;
}

/** What every call of a handler knows of its dispatch. */
export interface DispatchFacts {
  readonly dispatch_id: string;
  readonly attempt: number;
  readonly trigger_id: string;
  readonly binding_version: number;
  /** The event that is replayed; handlers are told, so that they can hold back what must not happen twice. */
  readonly replay_of_event_id: string | null;
}

/** One call of a handler. */
export interface HandlerCallFacts extends DispatchFacts {
  /** The dispatch id: the same for every attempt. */
  readonly idempotency_key: string;
  /** `<trigger id>@v<version>` (spec/triggers 6.1). */
  readonly binding_key: string;
  readonly event_id: string;
  readonly trace_id: string;
  readonly target_uri: string;
  /** The event as handlers get it; `batch` holds the events that were put together. */
  readonly event: TriggerEvent;
}

/** A handler's call as whoever performs it gets it. */
export type HandlerCall = HandlerCallFacts &
  (
    | { readonly kind: "workflow"; readonly run: RunRequest; readonly completion: "started" | "finished" }
    | {
        readonly kind: "local";
        readonly function: string;
        readonly input: Json | undefined;
        readonly timeout_ms: number;
      }
    | { readonly kind: "http"; readonly http: HttpTarget }
    | { readonly kind: "worker"; readonly queue: string; readonly priority: JobPriority }
    | {
        readonly kind: "a2a";
        readonly target: string;
        readonly allow_cleartext: boolean;
        readonly timeout_ms: number;
      }
    | ({ readonly kind: "auto_resume" } & ResumeTarget)
  );

/** A call that resumes a suspended worker. */
export type ResumeCall = Extract<HandlerCall, { readonly kind: "auto_resume" }>;

/** A call that is performed outside of the queue's own object, runs and workers. */
export type OutsideCall = Exclude<HandlerCall, { readonly kind: "workflow" | "auto_resume" }>;

/** Why a handler failed (spec/triggers 8); `retryable` says whether a later attempt may succeed. */
export type HandlerErrorClass =
  | "local"
  | "timeout"
  | "a2a"
  | "denied"
  | "cancelled"
  | "not_implemented"
  | "infrastructure";

/** How the call of a handler ended. */
export type HandlerOutcome =
  | { readonly type: "succeeded"; readonly result: Json }
  | {
      readonly type: "failed";
      readonly class: HandlerErrorClass;
      readonly error: string;
      readonly retryable: boolean;
    };

/** Who ended a call that was under way. */
export type CancelCause = "trigger cancel request" | "dispatcher shutdown";

/** Times that handlers get unless their definition says otherwise. */
const FUNCTION_MS = 300_000;
const HTTP_MS = 30_000;
const A2A_MS = 60_000;

const localHandler = (name: string, given: HandlerDefinition): Handler => ({
  kind: "local",
  target_uri: name,
  function: name,
  input: given.input,
  timeout_ms: given.timeout_ms ?? FUNCTION_MS,
});

const workerHandler = (queue: string, given: HandlerDefinition): Handler => ({
  kind: "worker",
  target_uri: `worker://${queue}`,
  queue,
  priority: given.priority ?? null,
  priority_header: given.priority_header ?? false,
});

const a2aHandler = (target: string, given: HandlerDefinition): Handler => ({
  kind: "a2a",
  target_uri: `a2a://${target}`,
  target,
  allow_cleartext: given.allow_cleartext ?? false,
  timeout_ms: given.timeout_ms ?? A2A_MS,
});

const handlerOfUri = (uri: string, given: HandlerDefinition): Handler | null => {
  const parsed = parseHandlerUri(uri);
  if (!parsed.ok) return null;
  switch (parsed.value.kind) {
    case "local":
      return localHandler(parsed.value.function, given);
    case "worker":
      return workerHandler(parsed.value.queue, given);
    case "a2a":
      return a2aHandler(parsed.value.target, given);
    case "persona":
      return null;
  }
};

/**
 * What a definition's handler means (spec/triggers 5.3); null for one that no check of a definition lets in. A dispatch that
 * holds a permit of flow control ends with its run unless the handler says otherwise.
 */
export const handlerOf = (given: HandlerDefinition, holdsPermit: boolean): Handler | null => {
  const { workflow, function: name, queue, a2a, http, uri, auto_resume } = given;
  if (workflow !== undefined) {
    return {
      kind: "workflow",
      target_uri: `workflow://${workflow}`,
      workflow,
      version: given.version ?? null,
      task: given.task,
      options: given.options ?? {},
      completion: given.completion ?? (holdsPermit ? "finished" : "started"),
    };
  }
  if (name !== undefined) return localHandler(name, given);
  if (queue !== undefined) return workerHandler(queue.trim(), given);
  if (a2a !== undefined) return a2aHandler(a2a.trim(), given);
  if (http !== undefined) {
    const { url, method, headers = {}, timeout_ms = HTTP_MS, signing_secret } = http;
    return { kind: "http", target_uri: url, http: { url, method, headers, timeout_ms, signing_secret } };
  }
  if (auto_resume !== undefined)
    return { kind: "auto_resume", target_uri: `auto_resume://${auto_resume.worker_id}`, ...auto_resume };
  return uri === undefined ? null : handlerOfUri(uri, given);
};

/** The key of the circuit that all calls of a handler share (spec/triggers 12.4). */
export const destinationOf = (handler: { readonly kind: HandlerKind; readonly target_uri: string }): string =>
  `${handler.kind}:${handler.target_uri}`;

/** How a job's priority is found where its handler names none. */
export interface PriorityRule {
  /** The priority of the trigger's dispatches (spec/triggers 5.1). */
  readonly priority?: JobPriority | undefined;
  /** The header is listened to whatever the handler says, as the original does (`compatibility: "harn"`). */
  readonly header?: boolean | undefined;
}

/** The priority of an event's job: the sender's where it may choose one, else the handler's, else the trigger's (spec/triggers 11.3). */
export const jobPriority = (
  handler: Extract<Handler, { readonly kind: "worker" }>,
  event: TriggerEvent,
  rule: PriorityRule,
): JobPriority => {
  const isHeard = handler.priority_header || rule.header === true;
  const asked = isHeard ? (event.headers["priority"] ?? "").trim().toLowerCase() : "";
  if (asked === "high" || asked === "low") return asked;
  return handler.priority ?? rule.priority ?? "normal";
};

/**
 * The call of a handler for an event. Only the attempt differs from one attempt to the next. A workflow's call needs the
 * request of its run beside it: see `runRequestFor`.
 */
export const handlerCallFor = <Given extends Exclude<Handler, { readonly kind: "workflow" }>>(
  event: TriggerEvent,
  handler: Given,
  facts: DispatchFacts & { readonly priority?: PriorityRule | undefined },
): Extract<HandlerCall, { readonly kind: Given["kind"] }> => callFor(event, handler, facts) as never;

const callFor = (
  event: TriggerEvent,
  handler: Exclude<Handler, { readonly kind: "workflow" }>,
  facts: DispatchFacts & { readonly priority?: PriorityRule | undefined },
): HandlerCall => {
  const { priority: rule = {}, ...dispatch } = facts;
  const common: HandlerCallFacts = {
    ...dispatch,
    idempotency_key: facts.dispatch_id,
    binding_key: `${facts.trigger_id}@v${facts.binding_version}`,
    event_id: event.id,
    trace_id: event.trace_id,
    target_uri: handler.target_uri,
    event,
  };
  if (handler.kind !== "worker") return { ...common, ...handler };
  return { ...common, kind: "worker", queue: handler.queue, priority: jobPriority(handler, event, rule) };
};
