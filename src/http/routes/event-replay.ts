import { uuidIds } from "../../ports/ids.ts";
import {
  eventLogQuery,
  eventLogSchema,
  replayEventSchema,
  replayMadeSchema,
  replayViewSchema,
} from "../../schema/api-event-control.ts";
import { claimOnce } from "../idempotency.ts";
import { eventNotFound, foundEvent } from "../found-event.ts";
import { fromRejection } from "../problem.ts";
import { done, type Router } from "../router.ts";

const shared = { tag: "Events", access: "triggers" } as const;

const addReplay = (router: Router): void => {
  router.add(
    {
      ...shared,
      method: "post",
      path: "/v1/events/{event_id}/replay",
      operation: "replay_event",
      summary: "Have an event handled again",
      description:
        "The same event, with the same id and dedupe key, in a dispatch and with runs of its own. Everything but deduplication applies to it.",
      body: { name: "ReplayEvent", schema: replayEventSchema, optional: true },
      reply: { status: 202, description: "The replay will be handled", name: "ReplayMade", schema: replayMadeSchema },
      problems: ["event_not_found", "idempotency_key_reused"],
    },
    async ({ params, body, call }) => {
      const { event_id: eventId } = params;
      const found = await foundEvent(call, eventId);
      if (!found.ok) return found.error;
      const names = { request_id: uuidIds("replay") };
      const claimed = await claimOnce(call, "replay_event", { event_id: eventId, ...body }, names);
      if (!claimed.ok) return claimed.error;
      const { requested_by = null, ...version } = body;
      const ask = { ...version, ...claimed.value, requested_by, dlq_id: null, not_before: null };
      const { address, object } = found.value;
      const made = await object().replay(address, ask);
      if (!made.ok) return fromRejection(made.rejection);
      const { number, binding_version, fallback } = made.reply;
      const warning = fallback === null ? {} : { fallback };
      return done({ event_id: eventId, replay: number, binding_version, dlq_id: null, ...warning }, 202);
    },
  );
};

const NUMBER = /^[1-9]\d{0,8}$/;

const addReads = (router: Router): void => {
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/events/{event_id}/replays/{number}",
      operation: "get_event_replay",
      summary: "Get a replay of an event, and in what it went another way",
      reply: { status: 200, description: "The replay", name: "ReplayView", schema: replayViewSchema },
      problems: ["event_not_found"],
    },
    async ({ params, call }) => {
      const { event_id: eventId, number } = params;
      const found = await foundEvent(call, eventId);
      if (!found.ok) return found.error;
      const { address, object } = found.value;
      const replay = NUMBER.test(number) ? await object().replayOf({ ...address, replay: Number(number) }) : null;
      return replay === null ? eventNotFound(eventId, ` with a replay ${number}`) : done(replay);
    },
  );
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/events/{event_id}/log",
      operation: "get_event_log",
      summary: "Get what the event log says of an event, oldest first",
      query: eventLogQuery,
      reply: { status: 200, description: "The records", name: "EventLog", schema: eventLogSchema },
      problems: ["event_not_found"],
    },
    async ({ params, query, call }) => {
      const { event_id: eventId } = params;
      const found = await foundEvent(call, eventId);
      if (!found.ok) return found.error;
      const { address, object } = found.value;
      const items = await object().log({ ...address, replay: query.replay });
      if (items !== null) return done({ items });
      return eventNotFound(eventId, query.replay === undefined ? "" : ` with a replay ${query.replay}`);
    },
  );
};

/** Replays of events, and what happened to them (spec/triggers 2.1, 23). */
export const addEventReplayRoutes = (router: Router): void => {
  addReplay(router);
  addReads(router);
};
