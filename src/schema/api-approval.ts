import * as z from "zod";
import { anyObject, pageOf, pageQuery, time } from "./api.ts";

/** Query of `GET /v1/approvals`. */
export const approvalQuery = pageQuery.extend({
  state: z.enum(["pending"]).default("pending").describe("`pending`: nobody has answered yet"),
});

const approvalRow = z
  .object({
    id: z.string().describe("Answer it under `/v1/approvals/{id}/respond`"),
    request_id: z.string().describe("The same"),
    event_id: z.string(),
    trigger_id: z.string(),
    title: z.string(),
    reason: z.string(),
    detail: anyObject,
    reviewers: z.array(z.string()).readonly(),
    requested_at: time,
  })
  .readonly();

/** What is asked about an event that waits for a person (spec/triggers 9.5). */
export type ApprovalRow = z.output<typeof approvalRow>;

/** A page of them, oldest event first. */
export const approvalPageSchema = pageOf(approvalRow);
