import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { parseTimeout } from "../../lib/duration.ts";
import { err, ok, type Result } from "../../lib/result.ts";

/** A question to a person (spec/workers 24.3); null stands for no schema and no default. */
export interface AskedQuestion {
  readonly kind: "question";
  readonly prompt: string;
  readonly schema: Json;
  readonly default: Json;
  readonly timeout_ms: number;
}

/** An action that people approve or deny (spec/workers 24.4). */
export interface AskedApproval {
  readonly kind: "approval";
  readonly action: string;
  readonly args: Json;
  readonly detail: Json;
  /** On whose behalf; null for whoever asks. */
  readonly principal: string | null;
  readonly quorum: number;
  readonly reviewers: readonly string[];
  readonly deadline_ms: number;
  readonly evidence_refs: readonly Json[];
  readonly undo_metadata: Json;
  readonly capabilities_requested: readonly string[];
}

/** An action that n of m people release together (spec/workers 24.6). */
export interface AskedDualControl {
  readonly kind: "dual_control";
  readonly action: string;
  readonly n: number;
  readonly m: number;
  readonly approvers: readonly string[];
  readonly deadline_ms: number;
  /** What is carried out once they agree, where people can be shown it. */
  readonly release?: Release;
}

/** The registered function that dual control guards, and what it is called with. */
export interface Release {
  readonly function: string;
  readonly input: Json;
  readonly detail: Json;
}

/** Something that a person of a role has to take over (spec/workers 24.7). */
export interface AskedEscalation {
  readonly kind: "escalation";
  readonly role: string;
  readonly reason: string;
  readonly capability_policy: Json;
}

/** What is asked of people. */
export type Asked = AskedQuestion | AskedApproval | AskedDualControl | AskedEscalation;

const DAY_MS = 86_400_000;

const display = (value: Json | undefined): string =>
  value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);

/** A text that must say something, at a position of the arguments. */
const text = (builtin: string, value: Json | undefined, index: number): Result<string, string> => {
  const shown = display(value);
  return shown.trim() === "" ? err(`${builtin}: expected string argument at ${index}`) : ok(shown);
};

const optionsOf = (builtin: string, options: Json | undefined): Result<JsonObject, string> => {
  if (options === undefined || options === null) return ok({});
  return isObject(options) ? ok(options) : err(`${builtin}: options must be a dict`);
};

/** A duration as text or a count of milliseconds; a day unless given (spec/workers 24.3, 24.4). */
const patience = (value: Json | undefined): Result<number, string> => {
  if (value === undefined || value === null) return ok(DAY_MS);
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return ok(value);
  const parsed = typeof value === "string" ? parseTimeout(value) : err("");
  return parsed.ok ? parsed : err("expected a duration or millisecond count");
};

const texts = (builtin: string, value: Json | undefined): Result<readonly string[], string> => {
  if (value === undefined || value === null) return ok([]);
  const isList = Array.isArray(value) && value.every((item: Json) => typeof item === "string");
  return isList ? ok(value as readonly string[]) : err(`${builtin}: expected list<string>`);
};

const orNull = (value: Json | undefined): Json => value ?? null;

/** A question with its options checked (spec/workers 24.3). */
export const askUser = (prompt: Json | undefined, given?: Json): Result<AskedQuestion, string> => {
  const asked = text("ask_user", prompt, 0);
  if (!asked.ok) return asked;
  const options = optionsOf("ask_user", given);
  if (!options.ok) return options;
  const { schema, default: fallback, timeout, timeout_ms } = options.value;
  const limit = patience(timeout ?? timeout_ms);
  if (!limit.ok) return limit;
  return ok({
    kind: "question",
    prompt: asked.value,
    schema: orNull(schema),
    default: orNull(fallback),
    timeout_ms: limit.value,
  });
};

const positive = (value: Json | undefined): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value > 0;

/** A request for approval with its options checked (spec/workers 24.4). */
export const requestApproval = (action: Json | undefined, given?: Json): Result<AskedApproval, string> => {
  const asked = text("request_approval", action, 0);
  if (!asked.ok) return asked;
  const options = optionsOf("request_approval", given);
  if (!options.ok) return options;
  const { args, detail, quorum, reviewers, deadline, deadline_ms, principal, undo_metadata } = options.value;
  const { evidence_refs: evidence, capabilities_requested: capabilities } = options.value;
  if (quorum !== undefined && quorum !== null && !positive(quorum))
    return err("request_approval: quorum must be positive");
  const names = texts("request_approval", reviewers);
  if (!names.ok) return names;
  const limit = patience(deadline ?? deadline_ms);
  if (!limit.ok) return limit;
  if (evidence !== undefined && evidence !== null && !Array.isArray(evidence))
    return err("request_approval: evidence_refs must be a list");
  const wanted = texts("request_approval", capabilities);
  if (!wanted.ok) return wanted;
  return ok({
    kind: "approval",
    action: asked.value,
    args: orNull(args),
    detail: orNull(detail),
    principal: display(principal) === "" ? null : display(principal),
    quorum: quorum ?? 1,
    reviewers: names.value,
    deadline_ms: limit.value,
    evidence_refs: evidence ?? [],
    undo_metadata: orNull(undo_metadata),
    capabilities_requested: wanted.value,
  });
};

/** The arguments of dual control. */
export interface DualControlArgs {
  readonly n: Json | undefined;
  readonly m: Json | undefined;
  /** What is done after approval; its name where it has one, null for nothing that could be done. */
  readonly action: { readonly name: string | null } | null;
  readonly approvers?: Json | undefined;
  /** A day unless given. */
  readonly deadline_ms?: Json | undefined;
  readonly release?: Release | null;
}

const count = (value: Json | undefined, index: number): Result<number, string> => {
  if (typeof value !== "number" || !Number.isSafeInteger(value))
    return err(`dual_control: expected int argument at ${index}`);
  return value > 0 ? ok(value) : err(`dual_control: expected a positive int at ${index}`);
};

/** Dual control with its arguments checked (spec/workers 24.6). */
export const dualControl = (args: DualControlArgs): Result<AskedDualControl, string> => {
  const n = count(args.n, 0);
  if (!n.ok) return n;
  const m = count(args.m, 1);
  if (!m.ok) return m;
  if (n.value > m.value) return err("dual_control: n must be less than or equal to m");
  if (args.action === null) return err("dual_control: action must be a closure");
  const approvers = texts("dual_control", args.approvers);
  if (!approvers.ok) return approvers;
  const { length } = approvers.value;
  const isListed = args.approvers !== undefined && args.approvers !== null;
  if (isListed && length < m.value) return err(`dual_control: expected at least ${m.value} approvers, got ${length}`);
  const limit = patience(args.deadline_ms);
  if (!limit.ok) return limit;
  return ok({
    kind: "dual_control",
    action: args.action.name ?? "anonymous",
    n: n.value,
    m: m.value,
    approvers: approvers.value,
    deadline_ms: limit.value,
    ...(args.release == null ? {} : { release: args.release }),
  });
};

/** An escalation with its arguments checked (spec/workers 24.7). */
export const escalateTo = (
  role: Json | undefined,
  reason: Json | undefined,
  policy: Json = null,
): Result<AskedEscalation, string> => {
  const who = text("escalate_to", role, 0);
  if (!who.ok) return who;
  const why = text("escalate_to", reason, 1);
  if (!why.ok) return why;
  return ok({ kind: "escalation", role: who.value, reason: why.value, capability_policy: policy });
};

/** How long there is to answer, in milliseconds; null for ever (spec/workers 24.3, 24.4, 24.6, 24.7). */
export const patienceOf = (asked: Asked): number | null => {
  if (asked.kind === "escalation") return null;
  return asked.kind === "question" ? asked.timeout_ms : asked.deadline_ms;
};

/** Who may answer; empty for anybody (spec/workers 24.5). */
export const reviewersOf = (asked: Asked): readonly string[] => {
  if (asked.kind === "approval") return asked.reviewers;
  return asked.kind === "dual_control" ? asked.approvers : [];
};

/** How many have to approve (spec/workers 24.5). */
export const quorumOf = (asked: Asked): number => {
  if (asked.kind === "approval") return asked.quorum;
  return asked.kind === "dual_control" ? asked.n : 1;
};

/** What a person reads first: the prompt, the action or the reason (spec/workers 24.9). */
export const promptOf = (asked: Asked): string => {
  if (asked.kind === "question") return asked.prompt;
  return asked.kind === "escalation" ? asked.reason : asked.action;
};
