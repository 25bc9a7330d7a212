import * as z from "zod";
import { anyJson, anyObject, pageOf, pageQuery, time } from "./api.ts";
import { eventViewSchema } from "./trigger-event.ts";

/** Query of `GET /v1/approvals`; what is wrong with a filter is told in the words of the specification (spec/workers 24.9). */
export const approvalQuery = pageQuery.extend({
  state: z.enum(["pending"]).default("pending").describe("`pending`: nobody has answered yet"),
  since: z.string().optional().describe("RFC 3339: only what was asked then or later"),
  until: z.string().optional().describe("RFC 3339: only what was asked then or before"),
  kinds: z.string().optional().describe("`question`, `approval`, `dual_control`, `escalation`; several with commas"),
  agent: z.string().optional().describe("Only what this workflow asks"),
});

const kind = z.enum(["question", "approval", "dual_control", "escalation"]);

const approvalRow = z
  .object({
    id: z.string().describe("Answer it under `/v1/approvals/{id}/respond`"),
    request_id: z.string().describe("The same"),
    source: z.enum(["run", "event"]).describe("A stage of a run asks, or an event waits"),
    request_kind: kind,
    agent: z.string().describe("The workflow that asks; empty for an event"),
    prompt: z.string(),
    trace_id: z.string(),
    timestamp: time,
    approvers: z.array(z.string()).readonly().describe("Who may answer; empty for anybody"),
    metadata: anyObject.describe("All that is asked"),
    run_id: z.string().nullable(),
    stage_id: z.string().nullable(),
    event_id: z.string().nullable(),
    trigger_id: z.string().nullable(),
    title: z.string(),
    reason: z.string(),
    detail: anyObject,
    reviewers: z.array(z.string()).readonly(),
    requested_at: time,
  })
  .readonly();

/** What waits for a person: a request of a run, or an event (spec/workers 24.9, spec/triggers 9.5). */
export type ApprovalRow = z.output<typeof approvalRow>;

/** A page of them, newest first. */
export const approvalPageSchema = pageOf(approvalRow);

/** What is asked, and what has become of it. */
export const approvalViewSchema = approvalRow
  .unwrap()
  .extend({
    status: z.enum(["open", "answered", "approved", "denied", "accepted", "timed_out", "cancelled"]),
    deadline: time.nullable().describe("When it is over by itself"),
    settled_at: time.nullable(),
    approvers_required: z.int(),
    approved_by: z.array(z.string()).readonly().describe("Whose approval has counted so far"),
    outcome: anyJson.describe("`{value}` or `{error}`; null while it is open"),
    log: z
      .array(z.object({ at: time, kind: z.string(), payload: anyObject }).readonly())
      .readonly()
      .exactOptional()
      .describe("All that has happened to a request of a run, oldest first"),
  })
  .readonly();

/** What is asked, and what has become of it. */
export type ApprovalView = z.output<typeof approvalViewSchema>;

const MAX_SIGNATURE_CHARACTERS = 2_000;

const reviewerName = z.string().min(1).max(200);

/** The body of `POST /v1/approvals/{id}/respond` (spec/workers 24.5). */
export const respondSchema = z
  .object({
    answer: anyJson.exactOptional().describe("To a question"),
    approved: z.boolean().exactOptional().describe("To an approval, dual control or an event"),
    accepted: z.boolean().exactOptional().describe("To an escalation"),
    reviewer: reviewerName.exactOptional().describe("Who answers; needed for approvals and dual control of runs"),
    reason: z.string().min(1).max(1_000).exactOptional().describe("Why, for the record"),
    signature: z
      .string()
      .min(1)
      .max(MAX_SIGNATURE_CHARACTERS)
      .exactOptional()
      .describe("Kept with an approval, unverified"),
  })
  .readonly();

/** An answer of a person. */
export type RespondRequest = z.output<typeof respondSchema>;

/** The answer to an answer: the request of a run, or the event. */
export const respondedSchema = z.union([approvalViewSchema, eventViewSchema]);

const WEEK_S = 604_800;
const MONTH_S = 2_592_000;

/** The body of `POST /v1/approvals/{id}/links`. */
export const newLinkSchema = z
  .object({
    reviewer: reviewerName.describe("Whose answer it will be"),
    expires_in_s: z.int().min(1).max(MONTH_S).default(WEEK_S).describe("Seconds; a week unless given, 30 days at most"),
  })
  .readonly();

/** A link under which one person can answer one request without a key. */
export const approvalLinkSchema = z
  .object({
    url: z.string().describe("Whoever has it answers as the reviewer: send it to nobody else"),
    reviewer: z.string(),
    expires_at: time,
  })
  .readonly();
