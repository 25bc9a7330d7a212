import { byCodePoint, isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { Timestamp } from "../../lib/time.ts";
import { promptOf, reviewersOf } from "./asked.ts";
import { envelopeOf } from "./envelope.ts";
import { type HitlKind, isHitlKind } from "./kind.ts";
import type { HitlRequest } from "./state.ts";

/** A request that waits for an answer, as lists show it (spec/workers 24.9). */
export interface PendingRow {
  readonly request_id: string;
  readonly request_kind: HitlKind;
  readonly agent: string;
  readonly prompt: string;
  readonly trace_id: string;
  /** RFC 3339. */
  readonly timestamp: string;
  readonly approvers: readonly string[];
  readonly metadata: JsonObject;
}

/** Which requests are shown (spec/workers 24.9). */
export interface PendingFilters {
  readonly since: Timestamp | null;
  readonly until: Timestamp | null;
  /** Null for all. */
  readonly kinds: readonly HitlKind[] | null;
  readonly agent: string | null;
  readonly limit: number;
}

const DEFAULT_LIMIT = 500;
const MAX_LIMIT = 5_000;

const moment = (name: string, value: Json | undefined): Result<Timestamp | null, string> => {
  if (value === undefined || value === null) return ok(null);
  if (typeof value !== "string" || value.trim() === "") return err(`hitl_pending: ${name} must be a string`);
  const isFull = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})$/.test(value);
  const at = isFull ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? err(`hitl_pending: invalid ${name}: ${value} is not RFC 3339`) : ok(at);
};

const kindsOf = (value: Json | undefined): Result<readonly HitlKind[] | null, string> => {
  if (value === undefined || value === null) return ok(null);
  if (!Array.isArray(value) || value.some((kind: Json) => typeof kind !== "string"))
    return err("hitl_pending: kinds must be a list<string>");
  const names = value as readonly string[];
  const kinds = names.filter(isHitlKind);
  const unknown = names.find((name) => !isHitlKind(name));
  return unknown === undefined ? ok(kinds) : err(`hitl_pending: unsupported kind '${unknown}'`);
};

const limitOf = (value: Json | undefined): Result<number, string> => {
  if (value === undefined || value === null) return ok(DEFAULT_LIMIT);
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value <= 0)
    return err("hitl_pending: limit must be a positive int");
  return ok(Math.min(value, MAX_LIMIT));
};

const agentOf = (value: Json | undefined): Result<string | null, string> => {
  if (value === undefined || value === null) return ok(null);
  return typeof value === "string" ? ok(value) : err("hitl_pending: agent must be a string");
};

/** The filters of a list of requests, or what is wrong with them (spec/workers 24.9). */
export const pendingFilters = (given: Json | undefined): Result<PendingFilters, string> => {
  if (given !== undefined && given !== null && !isObject(given))
    return err("hitl_pending: filters must be a dict or nil");
  const filters: JsonObject = given ?? {};
  const since = moment("since", filters["since"]);
  if (!since.ok) return since;
  const until = moment("until", filters["until"]);
  if (!until.ok) return until;
  const kinds = kindsOf(filters["kinds"]);
  if (!kinds.ok) return kinds;
  const agent = agentOf(filters["agent"]);
  if (!agent.ok) return agent;
  const limit = limitOf(filters["limit"]);
  if (!limit.ok) return limit;
  return ok({ since: since.value, until: until.value, kinds: kinds.value, agent: agent.value, limit: limit.value });
};

/** A request as lists show it. */
export const pendingRow = ({ asking }: Pick<HitlRequest, "asking">): PendingRow => {
  const { request_id, kind, agent, trace_id, requested_at, payload } = envelopeOf(asking);
  return {
    request_id,
    request_kind: kind,
    agent,
    prompt: promptOf(asking.asked),
    trace_id,
    timestamp: requested_at,
    approvers: reviewersOf(asking.asked),
    metadata: payload,
  };
};

const matches = ({ since, until, kinds, agent }: PendingFilters, row: PendingRow): boolean => {
  const at = Date.parse(row.timestamp);
  if (since !== null && at < since) return false;
  if (until !== null && at > until) return false;
  if (kinds !== null && !kinds.includes(row.request_kind)) return false;
  return agent === null || row.agent === agent;
};

/** Newest first; of those asked at the same moment the one asked last. */
const newestFirst = (a: PendingRow, b: PendingRow): number =>
  Date.parse(b.timestamp) - Date.parse(a.timestamp) || byCodePoint(b.request_id, a.request_id);

/** The rows that match, newest first, at most as many as were asked for; both bounds are inclusive (spec/workers 24.9). */
export const listPending = <Row extends PendingRow>(rows: readonly Row[], filters: PendingFilters): readonly Row[] =>
  rows
    .filter((row) => matches(filters, row))
    .toSorted(newestFirst)
    .slice(0, filters.limit);
