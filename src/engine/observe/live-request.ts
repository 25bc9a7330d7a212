import type { Json, JsonObject } from "../../lib/json.ts";
import { promptOf } from "../hitl/asked.ts";
import { kindOfRequest } from "../hitl/kind.ts";
import { recordKind } from "../hitl/log.ts";
import type { HitlEvent } from "../hitl/state.ts";
import type { RequestRecorded } from "../run/event.ts";

/** What an event of a request to people is called for whoever watches (spec/workers 24.1). */
export const requestEventType = ({ request_id: id, record }: RequestRecorded): string => {
  const kind = kindOfRequest(id);
  return kind.ok ? recordKind(kind.value, record) : "hitl.unknown";
};

const EXCERPT = 2_000;

const excerpt = (value: Json | undefined): Json => {
  const text = JSON.stringify(value ?? null);
  return text.length <= EXCERPT ? (value ?? null) : `${text.slice(0, EXCERPT)}...`;
};

const recordData = (record: HitlEvent): JsonObject => {
  switch (record.type) {
    case "requested":
      return { kind: record.asking.asked.kind, prompt: promptOf(record.asking.asked).slice(0, EXCERPT) };
    case "responded": {
      const { reviewer = null, reason = null, approved, accepted, answer } = record.response;
      const said = approved ?? accepted;
      return { reviewer, reason, ...(said === undefined ? { answer: excerpt(answer) } : { approved: said }) };
    }
    case "approved":
      return { reviewers: record.record.reviewers, reason: record.record.reason };
    case "denied":
      return { reviewer: record.reviewer, reason: record.reason };
    case "cancelled":
      return { reason: record.reason };
    default:
      return {};
  }
};

/** What whoever watches may see of it. */
export const requestEventData = ({ stage_id, request_id, record }: RequestRecorded): JsonObject => ({
  stage_id,
  request_id,
  ...recordData(record),
});
