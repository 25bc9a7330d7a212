import { approveEventSchema } from "../../schema/api-event-control.ts";
import { approvalPageSchema, approvalQuery } from "../../schema/api-approval.ts";
import { eventViewSchema } from "../../schema/trigger-event.ts";
import { answerApproval, askedAbout, askedPage } from "../answer-approval.ts";
import { CURSOR_ISSUE, decodeCursor } from "../page.ts";
import { invalid, problem } from "../problem.ts";
import { done, type Router } from "../router.ts";

const shared = { tag: "Events", access: "approvals" } as const;

/** What people are asked, and their answers (spec/triggers 9.5). */
export const addApprovalRoutes = (router: Router): void => {
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/approvals",
      operation: "list_approvals",
      summary: "List the events that wait for a person, with what is asked, oldest first",
      query: approvalQuery,
      reply: { status: 200, description: "A page", name: "ApprovalPage", schema: approvalPageSchema },
    },
    async ({ query, call }) => {
      const after = query.cursor === undefined ? null : decodeCursor(query.cursor, 2);
      if (after === null && query.cursor !== undefined) return invalid([CURSOR_ISSUE]);
      return done(await askedPage(call, query.limit, after));
    },
  );
  router.add(
    {
      ...shared,
      method: "post",
      path: "/v1/approvals/{id}/respond",
      operation: "respond_to_approval",
      summary: "Answer what a person is asked",
      description:
        "By the `request_id` that the list shows, or by the id of the event. Approved, the event goes on; denied, it is skipped. The first answer counts.",
      body: { name: "ApproveEvent", schema: approveEventSchema },
      reply: { status: 200, description: "The event", name: "TriggerEventRecord", schema: eventViewSchema },
      problems: ["event_not_found", "approval_not_found", "approval_decided"],
    },
    async ({ params, body, call }) => {
      const eventId = await askedAbout(call, params.id);
      if (eventId !== null) return answerApproval(call, eventId, body);
      return problem(
        "approval_not_found",
        `nothing waits for an answer to ${params.id}; GET /v1/approvals lists what does`,
      );
    },
  );
};
