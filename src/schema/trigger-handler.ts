import * as z from "zod";
import { definitionObject } from "./definition-object.ts";
import { parseHandlerReference } from "../lib/handler-uri.ts";
import { json } from "./lenient.ts";
import { decodeRunOptions } from "./run.ts";

/** Longest time a handler may take: the message that carries a dispatch has fifteen minutes. */
const MAX_HANDLER_MS = 600_000;

const MAX_TASK_LENGTH = 65_536;
const MAX_URL_LENGTH = 4_000;
const MAX_HEADERS = 50;

const name = z
  .string()
  .min(1)
  .max(200)
  .refine((text) => text.isWellFormed(), "must not contain lone surrogates");

const jsonObject = z.record(z.string(), json).readonly();
const duration = z.int().min(1).max(MAX_HANDLER_MS);

/** An address; a secret may stand for its beginning, and then nothing is known of it. */
const ADDRESS = /^(?:https?:\/\/[^\s/?#]|\{\{\s*secret\.)/i;

const httpSchema = definitionObject({
  /** May hold `{{secret.NAME}}`; nothing of the event is filled in. */
  url: z
    .string()
    .min(1)
    .max(MAX_URL_LENGTH)
    .refine((url) => ADDRESS.test(url.trim()), "must be an `http://` or `https://` address"),
  method: z.enum(["POST", "PUT", "PATCH"]).default("POST"),
  /** Further headers; their values may hold `{{secret.NAME}}`. */
  headers: z
    .record(z.string(), z.string())
    .refine((headers) => Object.keys(headers).length <= MAX_HEADERS, `must have at most ${MAX_HEADERS} headers`)
    .readonly()
    .optional(),
  timeout_ms: duration.optional(),
  /** Signs each call as Standard Webhooks do; only the name of a secret, because definitions are shown. */
  signing_secret: z
    .string()
    .regex(/^\{\{\s*secret\.[A-Za-z0-9_]+\s*\}\}$/, "must be `{{secret.NAME}}`")
    .optional(),
}).readonly();

/** The key that says which kind of handler it is, with the keys that belong to it. */
const KINDS = {
  uri: ["allow_cleartext", "priority", "priority_header", "timeout_ms"],
  workflow: ["version", "task", "options", "completion"],
  function: ["input", "timeout_ms"],
  queue: ["priority", "priority_header"],
  a2a: ["allow_cleartext", "timeout_ms"],
  http: [],
  auto_resume: [],
} as const;

type Kind = keyof typeof KINDS;

const KIND_NAMES = Object.keys(KINDS) as readonly Kind[];

/** What an owner gives; the handler of a suspended worker's trigger is made with it. */
const GIVEN = KIND_NAMES.filter((kind) => kind !== "auto_resume");

const NO_HANDLER = `give one of ${GIVEN.map((key) => `\`${key}\``).join(", ")}`;

const handlerObject = definitionObject({
  /** `worker://<queue>`, `a2a://<authority>[/path]`, or the name of a registered function (spec/triggers 5.3). */
  uri: z.string().max(MAX_URL_LENGTH).optional(),
  /** The workflow that handles each event. */
  workflow: name.optional(),
  /** A version of the workflow; without it the newest at the time of the dispatch. */
  version: z.int().min(1).optional(),
  /** The run's task; `{{trigger_event.<path>}}` is filled in. */
  task: z.string().min(1).max(MAX_TASK_LENGTH).optional(),
  /** Options of the run; `trigger_event` and `trigger_id` are added to them. */
  options: jsonObject.optional(),
  /** When the dispatch of an event is over: with the start of its run, or with the run's end. */
  completion: z.enum(["started", "finished"]).optional(),
  /** The name of a function that is registered in code. */
  function: name.optional(),
  /** What the function gets in place of the event; `{{event.<path>}}` is filled in. */
  input: json.optional(),
  /** How long the handler may take. */
  timeout_ms: duration.optional(),
  /** The work queue that takes a job for each event. */
  queue: name.optional(),
  /** Priority of the jobs; `normal` without it. */
  priority: z.enum(["high", "normal", "low"]).optional(),
  /** Lets the sender choose the priority of its job with the header `priority` (spec/triggers 11.3). */
  priority_header: z.boolean().optional(),
  /** `<authority>[/path]` of a remote agent. */
  a2a: z.string().min(1).max(MAX_URL_LENGTH).optional(),
  /** Lets the remote agent be called without TLS; meant for development. */
  allow_cleartext: z.boolean().optional(),
  /** The HTTP address that gets each event. */
  http: httpSchema.optional(),
  /** The suspended worker that an event wakes (spec/workers 18.2). */
  auto_resume: z.object({ worker_id: name, suspended_at: z.string() }).readonly().optional(),
}).readonly();

/** A definition's handler: an address as text is short for `{"uri": <address>}` (spec/triggers 5.1, 5.3). */
export const handlerSchema = z.preprocess((value, context) => {
  if (value !== undefined) return typeof value === "string" ? { uri: value } : value;
  context.addIssue({ code: "custom", message: NO_HANDLER });
  return z.NEVER;
}, handlerObject);

/** A definition's handler as it is stored. */
export type HandlerDefinition = z.output<typeof handlerObject>;

/** Says what is wrong with a part of a definition. */
type Complain = (path: readonly string[], message: string) => void;

/** Options that say what only the dispatch of an event can say. */
const RESERVED_OPTIONS = ["trigger_event", "trigger_id", "replay_of_event_id", "resume_run", "replay_run"] as const;

const checkOptions = ({ options = {} }: HandlerDefinition, complain: Complain): void => {
  for (const key of RESERVED_OPTIONS) {
    if (Object.hasOwn(options, key)) complain(["options", key], `\`${key}\` cannot be given for a trigger`);
  }
  const decoded = decodeRunOptions(options);
  if (decoded.ok) return;
  for (const { path, message } of decoded.error.issues) {
    complain(["options", ...(path === "." ? [] : [path])], message);
  }
};

const A2A_ONLY = "`allow_cleartext` is only valid for `a2a://...` handlers";

/** Why a handler can call no function: it names one that nobody has registered (spec/triggers 5.3); null for any other. */
export const functionProblem = (handler: HandlerDefinition, registered: readonly string[]): string | null => {
  const parsed = handler.uri === undefined ? null : parseHandlerReference(handler.uri);
  const ofUri = parsed?.ok === true && parsed.value.kind === "local" ? parsed.value.function : undefined;
  const name = handler.function ?? ofUri;
  return name === undefined || registered.includes(name)
    ? null
    : `handler '${name}' is not exported by the resolved module`;
};

/** What kind an address makes of a handler, where the keys beside it depend on that. */
const KIND_OF_URI = { local: "function", a2a: "a2a", worker: "queue", persona: null } as const;

const checkKeys = (handler: HandlerDefinition, kind: Kind, complain: Complain): void => {
  const own: ReadonlySet<string> = new Set<string>([kind, ...KINDS[kind]]);
  for (const [key, value] of Object.entries(handler)) {
    if (value === undefined || own.has(key) || (key !== kind && KIND_NAMES.some((other) => other === key))) continue;
    complain([key], key === "allow_cleartext" ? A2A_ONLY : `\`${key}\` does not belong to a handler with \`${kind}\``);
  }
};

const checkUri = (handler: HandlerDefinition, complain: Complain): void => {
  const { uri } = handler;
  if (uri === undefined) return;
  const parsed = parseHandlerReference(uri);
  if (!parsed.ok) return complain(["uri"], parsed.error);
  const kind = KIND_OF_URI[parsed.value.kind];
  if (kind !== null) checkKeys({ ...handler, uri: undefined }, kind, complain);
};

/**
 * Checks what the keys of a handler say together (spec/triggers 5.3, 5.7 point 7). Paths are within the handler;
 * `allow_cleartext` may also stand beside it.
 */
export const checkHandler = (
  handler: HandlerDefinition,
  complain: Complain,
  beside: { readonly allow_cleartext?: boolean | undefined } = {},
): void => {
  const kinds = KIND_NAMES.filter((key) => handler[key] !== undefined);
  const [kind, other] = kinds;
  if (kind === undefined) return complain(["workflow"], NO_HANDLER);
  if (other !== undefined) return complain([other], `give \`${kind}\` or \`${other}\`, not both`);
  if (kind === "uri") checkUri(handler, complain);
  else checkKeys(handler, kind, complain);
  if (kind === "a2a" && parseHandlerReference(`a2a://${handler.a2a}`).ok === false) {
    complain(["a2a"], "handler a2a:// target cannot be empty");
  }
  checkOptions(handler, complain);
  const isRemote = kind === "a2a" || (handler.uri ?? "").trim().startsWith("a2a://");
  if (beside.allow_cleartext !== undefined && !isRemote) complain(["allow_cleartext"], A2A_ONLY);
};
