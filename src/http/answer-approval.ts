import type * as z from "zod";
import type { EventAnswer } from "../../durable-objects/trigger.ts";
import type { Answer } from "../engine/machine.ts";
import type { approveEventSchema } from "../schema/api-event-control.ts";
import type { EventView } from "../schema/trigger-event.ts";
import type { Call } from "./call.ts";
import { carriedOut } from "./carry-out.ts";
import { eventPosition, listEvents } from "./event-rows.ts";
import { eventViews } from "./event-views.ts";
import { eventReplaced, foundEvent, type FoundEvent } from "./found-event.ts";
import { decodeCursor, pageFrom, type Position } from "./page.ts";
import { fromRejection } from "./problem.ts";
import { done, type Outcome } from "./router.ts";

/** The event as it is after something was decided about it. */
export const settledEvent = async (
  call: Call,
  { address, object }: FoundEvent,
  answer: Answer<EventAnswer>,
): Promise<Outcome<EventView>> => {
  if (!answer.ok) return fromRejection(answer.rejection);
  await carriedOut(call, answer.reply);
  const event = await object().event(address.key, address.event_id);
  return event === null ? eventReplaced(address.event_id) : done(event);
};

/** Answers what is asked about an event; the first answer counts (spec/triggers 9.5). */
export const answerApproval = async (
  call: Call,
  eventId: string,
  body: z.output<typeof approveEventSchema>,
): Promise<Outcome<EventView>> => {
  const { approved, reviewer = null, reason = null } = body;
  const found = await foundEvent(call, eventId);
  if (!found.ok) return found.error;
  const { address, object } = found.value;
  const answer = await object().respond(address.key, { approved, reviewer, reason });
  if (!answer.ok && call.idempotency_key !== null) {
    // The same request again: what it asked for is done.
    const decided = await object().event(address.key, address.event_id);
    const { decision = null } = decided?.approval ?? {};
    const isSame = decision?.approved === approved && decision.reviewer === reviewer && decision.reason === reason;
    if (decided !== null && isSame) return done(decided);
  }
  return settledEvent(call, found.value, answer);
};

/** The request of an event that waits. The list lags: somebody may have answered meanwhile. */
const waitingRequest = (
  view: EventView | null,
): readonly { readonly request_id: string; readonly event_id: string }[] =>
  view?.status !== "waiting" || view.approval === null
    ? []
    : [{ request_id: view.approval.request_id, event_id: view.event_id }];

/** A page of what people are asked about events, the oldest event first. */
const askedPage = async (
  call: Pick<Call, "env" | "tenant">,
  limit: number,
  after: Position | null,
): Promise<{ readonly items: ReturnType<typeof waitingRequest>; readonly next_cursor: string | null }> => {
  const filter = { limit, status: "waiting", view: "unsettled" } as const;
  const rows = await listEvents(call.env.DB, call.tenant, filter, { after, now: Date.now() });
  const page = pageFrom(rows, limit, eventPosition);
  const views = await eventViews(call, page.items);
  return { items: views.flatMap(waitingRequest), next_cursor: page.next_cursor };
};

const REQUEST_ID = /^approval_/;
const PAGE = 100;

/** The most pages that are gone through for one request: who asks for an older one names its event. */
const MAX_PAGES = 10;

/** The event of a request that waits, or of its own id; null when no such request is found. */
export const askedAbout = async (call: Pick<Call, "env" | "tenant">, id: string): Promise<string | null> => {
  if (!REQUEST_ID.test(id)) return id;
  let after: Position | null = null;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { items, next_cursor: next } = await askedPage(call, PAGE, after);
    const found = items.find(({ request_id }) => request_id === id);
    if (found !== undefined) return found.event_id;
    after = next === null ? null : decodeCursor(next, 2);
    if (after === null) return null;
  }
  return null;
};
