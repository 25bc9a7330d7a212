import type { Timestamp } from "../../../lib/time.ts";

/** The kinds of gates, in the order in which a dispatch passes them (spec/triggers 10). */
export const FLOW_ORDER = ["batch", "debounce", "rate_limit", "throttle", "singleton", "concurrency"] as const;

/** A kind of gate. */
export type FlowPrimitive = (typeof FLOW_ORDER)[number];

interface Limit {
  /** `<binding key>:<key>`. */
  readonly gate: string;
  readonly max: number;
}

/** One gate that a dispatch has to pass, with everything its definition and its event say about it. */
export type FlowRequirement =
  | { readonly primitive: "batch"; readonly gate: string; readonly size: number; readonly timeout_ms: number }
  | { readonly primitive: "debounce"; readonly gate: string; readonly period_ms: number }
  | ({ readonly primitive: "rate_limit"; readonly period_ms: number } & Limit)
  | ({ readonly primitive: "throttle"; readonly period_ms: number } & Limit)
  | { readonly primitive: "singleton"; readonly gate: string }
  | ({ readonly primitive: "concurrency"; readonly rank: number; readonly fair_key: string } & Limit);

/** A requirement of one kind. */
export type RequirementOf<P extends FlowPrimitive> = Extract<FlowRequirement, { readonly primitive: P }>;

/** A dispatch at its gates. Its row is all that a rebuilt flow control needs to know about it. */
export interface FlowTicket {
  readonly id: string;
  /** Place in the order of arrival. */
  readonly seq: number;
  readonly arrived_at_ms: Timestamp;
  /** In the order of `FLOW_ORDER`, at most one of each kind. */
  readonly requirements: readonly FlowRequirement[];
  /** How many of them it has passed: when it is parked, it is parked at the next one. */
  readonly stage: number;
  /** `suspended`: it went on once, and lost or gave back its permits. */
  readonly state: "parked" | "admitted" | "suspended";
  /** True once it was suspended: it then waits for a singleton instead of being skipped. */
  readonly resumed: boolean;
  /** The end of a quiet period or the deadline of a group; null when nothing is timed. */
  readonly due_at_ms: Timestamp | null;
  /** Until when its permits are its own without a renewal; null while it holds none or is parked. */
  readonly lease_until_ms: Timestamp | null;
  /** Of the leader of a flushed group: the ids of all its members, itself first. */
  readonly members: readonly string[];
}

/** The accepted times of one `rate_limit` or `throttle` gate, ascending. */
export interface FlowHits {
  readonly primitive: "rate_limit" | "throttle";
  readonly gate: string;
  readonly period_ms: number;
  readonly times: readonly Timestamp[];
}

/** Why a dispatch does not go on (spec/triggers 10). */
export type FlowSkip = "batch_merged" | "debounced" | "rate_limited" | "singleton_active";

/** A record of the audit trail (spec/triggers 10). */
export interface FlowAudit {
  /** `trigger.<primitive>.<gate>` with every other character than `A-Za-z0-9._-` as `_`. */
  readonly topic: string;
  readonly gate: string;
  readonly kind: string;
  readonly payload: Readonly<Record<string, string | number>>;
}

/** The kinds of gates that hold permits. */
export const isPermit = (requirement: FlowRequirement): requirement is RequirementOf<"singleton" | "concurrency"> =>
  requirement.primitive === "singleton" || requirement.primitive === "concurrency";

/** The permits that a ticket holds. */
export const permitsOf = (ticket: FlowTicket): readonly RequirementOf<"singleton" | "concurrency">[] =>
  ticket.state === "suspended" ? [] : ticket.requirements.slice(0, ticket.stage).filter(isPermit);
