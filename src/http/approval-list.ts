import { isHitlKind } from "../engine/hitl/kind.ts";
import { listPending, type PendingFilters, pendingFilters } from "../engine/hitl/pending.ts";
import { err, ok, type Result } from "../lib/result.ts";
import type * as z from "zod";
import type { ApprovalRow, approvalQuery } from "../schema/api-approval.ts";
import type { EventRow, EventView } from "../schema/trigger-event.ts";
import type { Call } from "./call.ts";
import { eventPosition, listEvents } from "./event-rows.ts";
import { eventViews } from "./event-views.ts";
import { CURSOR_ISSUE, decodeCursor, encodeCursor, type Position } from "./page.ts";
import { invalid, type Problem } from "./problem.ts";
import { listRequests, requestApprovalRow, requestPosition, type RequestRow } from "./request-rows.ts";

/** An event that waits for a person as lists show it; none where somebody has answered meanwhile: its list lags. */
export const eventApprovalRow = (view: EventView | null): readonly ApprovalRow[] => {
  if (view?.status !== "waiting" || view.approval === null) return [];
  return [askedOfEvent(view, view.approval)];
};

/** What is asked about an event. */
export const askedOfEvent = (
  { event_id, trigger_id, event }: Pick<EventView, "event_id" | "trigger_id" | "event">,
  { decision: _decision, ...asked }: NonNullable<EventView["approval"]>,
): ApprovalRow => ({
  id: asked.request_id,
  source: "event",
  request_kind: "approval",
  agent: "",
  prompt: asked.title,
  trace_id: event.trace_id,
  timestamp: asked.requested_at,
  approvers: asked.reviewers,
  metadata: asked.detail,
  run_id: null,
  stage_id: null,
  event_id,
  trigger_id,
  ...asked,
});

/** How far a page has gone through both lists; null before the first of one. */
interface Positions {
  readonly requests: Position | null;
  readonly events: Position | null;
}

const START: Positions = { requests: null, events: null };

const read = (cursor: string): Positions | null => {
  const [at = "", request = "", received = "", event = ""] = decodeCursor(cursor, 4) ?? [];
  if (`${at}${received}` === "") return null;
  return { requests: at === "" ? null : [at, request], events: received === "" ? null : [received, event] };
};

const written = ({ requests, events }: Positions): string => {
  const [at = "", request = ""] = requests ?? [];
  const [received = "", event = ""] = events ?? [];
  return encodeCursor([at, request, received, event]);
};

/** The filters of the query, or what is wrong with them (spec/workers 24.9). */
const filtersOf = (query: z.output<typeof approvalQuery>): Result<PendingFilters, Problem> => {
  const { since, until, agent, kinds, limit } = query;
  const filters = pendingFilters({
    since: since ?? null,
    until: until ?? null,
    agent: agent ?? null,
    kinds: kinds === undefined ? null : kinds.split(",").map((kind) => kind.trim()),
    limit,
  });
  if (filters.ok) return filters;
  const path = ["since", "until", "agent", "kinds"].find((name) => filters.error.includes(name)) ?? "kinds";
  return err(invalid([{ path, message: filters.error }], filters.error));
};

/** Events are asked about for an approval, by nobody's workflow. */
const concernsEvents = ({ kinds, agent }: PendingFilters): boolean =>
  (kinds === null || kinds.some((kind) => isHitlKind(kind) && kind === "approval")) && (agent === null || agent === "");

type Found = { readonly at: string } & ({ readonly request: RequestRow } | { readonly event: EventRow });

/** What comes next in both lists together, newest first; an event stands where it was received. */
const merged = (requests: readonly RequestRow[], events: readonly EventRow[]): readonly Found[] =>
  [
    ...requests.map((request) => ({ at: request.requested_at, request })),
    ...events.map((event) => ({ at: event.received_at, event })),
  ].toSorted((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));

const after = (positions: Positions, found: readonly Found[]): Positions =>
  found.reduce<Positions>(
    (at, one) =>
      "request" in one
        ? { ...at, requests: requestPosition(one.request) }
        : { ...at, events: eventPosition(one.event) },
    positions,
  );

/** A page of what waits for people, newest first: requests of runs, and events (spec/workers 24.9, spec/triggers 9.5). */
export const approvalPage = async (
  call: Pick<Call, "env" | "tenant">,
  query: z.output<typeof approvalQuery>,
): Promise<Result<{ readonly items: readonly ApprovalRow[]; readonly next_cursor: string | null }, Problem>> => {
  const filters = filtersOf(query);
  if (!filters.ok) return filters;
  const positions = query.cursor === undefined ? START : read(query.cursor);
  if (positions === null) return err(invalid([CURSOR_ISSUE]));
  const { limit } = query;
  const { env, tenant } = call;
  const more = { ...filters.value, limit: limit + 1 };
  const requests = await listRequests(env.DB, tenant, more, positions.requests);
  const page = { after: positions.events, now: Date.now() };
  const events = concernsEvents(filters.value)
    ? await listEvents(env.DB, tenant, { limit, status: "waiting" }, page)
    : [];
  const all = merged(requests, events);
  const shown = all.slice(0, limit);
  const views = await eventViews(
    call,
    shown.flatMap((one) => ("event" in one ? [one.event] : [])),
  );
  const rows = [
    ...shown.flatMap((one) => ("request" in one ? [requestApprovalRow(one.request)] : [])),
    ...views.flatMap(eventApprovalRow),
  ];
  const next = all.length > limit ? written(after(positions, shown)) : null;
  return ok({ items: listPending(rows, filters.value), next_cursor: next });
};
