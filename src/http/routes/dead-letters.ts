import { rfc3339 } from "../../lib/time.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { uuidIds } from "../../ports/ids.ts";
import {
  deadLetterAnswerSchema,
  deadLetterFormat,
  deadLetterPageSchema,
  deadLetterQuery,
  type DeadLetterView,
  deadLetterViewSchema,
  discardDeadLetterSchema,
  retryDeadLetterSchema,
} from "../../schema/api-dlq.ts";
import { replayMadeSchema } from "../../schema/api-event-control.ts";
import type { EventView } from "../../schema/trigger-event.ts";
import type { Call } from "../call.ts";
import { carriedOut } from "../carry-out.ts";
import { deadLetterPosition, type DeadLetterPlace, findDeadLetter, listDeadLetters } from "../dead-letter-rows.ts";
import { claimOnce } from "../idempotency.ts";
import { CURSOR_ISSUE, decodeCursor, pageFrom } from "../page.ts";
import { fromRejection, invalid, problem, type Problem } from "../problem.ts";
import { done, type Outcome, type Router } from "../router.ts";
import { triggerObject } from "../trigger-object.ts";

const shared = { tag: "Dead letters", access: "triggers" } as const;

const notFound = (dlqId: string, why = ""): Problem =>
  problem("dead_letter_not_found", `unknown DLQ entry '${dlqId}'${why}`);

const objectOf = (call: Call, { trigger_id, shard }: DeadLetterPlace) =>
  triggerObject(call.env, call.tenant, trigger_id, shard);

const viewOf = (view: EventView, letter: NonNullable<EventView["dead_letter"]>): DeadLetterView => {
  const { event_id, trigger_id, binding_version, provider, kind, attempts, definition, event } = view;
  const { id: dlq_id, history: retry_history, ...rest } = letter;
  const about = { dlq_id, event_id, trigger_id, binding_version, provider, kind };
  return { ...about, ...rest, retry_history, attempts, definition, event };
};

const found = async (call: Call, dlqId: string): Promise<Result<DeadLetterView, Problem>> => {
  const place = await findDeadLetter(call.env.DB, call.tenant, dlqId);
  const view = place === null ? null : await objectOf(call, place).event(place.dedupe_key, place.event_id);
  const letter = view?.dead_letter ?? null;
  if (view === null || letter === null) return err(notFound(dlqId));
  return letter.id === dlqId
    ? ok(viewOf(view, letter))
    : err(notFound(dlqId, `; its event became '${letter.id}' later`));
};

const fixtureOf = (view: DeadLetterView) => {
  const { dlq_id, event_id, trigger_id, binding_version, provider, kind, state, error, error_class } = view;
  const { event, retry_history } = view;
  const about = { id: dlq_id, event_id, binding_id: trigger_id, binding_version: binding_version ?? 0, provider, kind };
  const entry = { ...about, state, error, error_class: error_class ?? "unknown", event, retry_history };
  return { _type: "harn.dlq.fixture.v1", exported_at: rfc3339(Date.now()), entry } as const;
};

const addReads = (router: Router): void => {
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/dlq",
      operation: "list_dead_letters",
      summary: "List dead letters, newest first",
      description: "The list may lag a few seconds behind.",
      query: deadLetterQuery,
      reply: { status: 200, description: "A page", name: "DeadLetterPage", schema: deadLetterPageSchema },
    },
    async ({ query, call }) => {
      const after = query.cursor === undefined ? null : decodeCursor(query.cursor, 2);
      if (after === null && query.cursor !== undefined) return invalid([CURSOR_ISSUE]);
      const rows = await listDeadLetters(call.env.DB, call.tenant, query, after);
      return done(pageFrom(rows, query.limit, deadLetterPosition));
    },
  );
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/dlq/{dlq_id}",
      operation: "get_dead_letter",
      summary: "Get a dead letter with its event and all that was done about it",
      query: deadLetterFormat,
      reply: { status: 200, description: "The dead letter", name: "DeadLetterAnswer", schema: deadLetterAnswerSchema },
      problems: ["dead_letter_not_found"],
    },
    async ({ params, query, call }) => {
      const view = await found(call, params.dlq_id);
      if (!view.ok) return view.error;
      return done(query.format === "fixture" ? fixtureOf(view.value) : view.value);
    },
  );
};

const addRetry = (router: Router): void => {
  router.add(
    {
      ...shared,
      method: "post",
      path: "/v1/dlq/{dlq_id}/retry",
      operation: "retry_dead_letter",
      summary: "Try a dead letter again",
      description:
        "A replay of its event. When it is handled the dead letter is resolved, else it stays with another entry in its history. " +
        "One replay at a time tries it: asking meanwhile names that one.",
      body: { name: "RetryDeadLetter", schema: retryDeadLetterSchema, optional: true },
      reply: { status: 202, description: "The replay will be handled", name: "ReplayMade", schema: replayMadeSchema },
      problems: ["dead_letter_not_found", "idempotency_key_reused"],
    },
    async ({ params, body, call }) => {
      const { dlq_id: dlqId } = params;
      const place = await findDeadLetter(call.env.DB, call.tenant, dlqId);
      if (place === null) return notFound(dlqId);
      const names = { request_id: uuidIds("replay") };
      const claimed = await claimOnce(call, "retry_dead_letter", { dlq_id: dlqId, ...body }, names);
      if (!claimed.ok) return claimed.error;
      const ask = { dlq_id: dlqId, requested_by: body.requested_by ?? null, not_before: null, ...claimed.value };
      const { dedupe_key: key, event_id } = place;
      const made = await objectOf(call, place).replay({ key, event_id }, ask);
      if (!made.ok) return fromRejection(made.rejection);
      const { number, binding_version, fallback } = made.reply;
      const warning = fallback === null ? {} : { fallback };
      return done({ event_id, replay: number, binding_version, dlq_id: dlqId, ...warning }, 202);
    },
  );
};

const discarded = async (call: Call, dlqId: string, reason: string | undefined): Promise<Outcome<DeadLetterView>> => {
  const place = await findDeadLetter(call.env.DB, call.tenant, dlqId);
  if (place === null) return notFound(dlqId);
  const why = reason === undefined ? {} : { reason };
  const answer = await objectOf(call, place).discard(place.dedupe_key, dlqId, why);
  if (answer.ok) await carriedOut(call, answer.reply);
  const view = await found(call, dlqId);
  if (!view.ok) return view.error;
  // The same request again: it is discarded.
  return answer.ok || (call.idempotency_key !== null && view.value.state === "discarded")
    ? done(view.value)
    : fromRejection(answer.rejection);
};

const addDiscard = (router: Router): void => {
  router.add(
    {
      ...shared,
      method: "post",
      path: "/v1/dlq/{dlq_id}/discard",
      operation: "discard_dead_letter",
      summary: "Take a dead letter off the list without handling it",
      body: { name: "DiscardDeadLetter", schema: discardDeadLetterSchema, optional: true },
      reply: { status: 200, description: "The dead letter", name: "DeadLetter", schema: deadLetterViewSchema },
      problems: ["dead_letter_not_found"],
    },
    ({ params, body, call }) => discarded(call, params.dlq_id, body.reason),
  );
};

/** Events that could not be handled, and what is done about them (spec/triggers 12.6, 12.7). */
export const addDeadLetterRoutes = (router: Router): void => {
  addReads(router);
  addRetry(router);
  addDiscard(router);
};
