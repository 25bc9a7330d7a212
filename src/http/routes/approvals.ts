import {
  approvalLinkSchema,
  approvalPageSchema,
  approvalQuery,
  type ApprovalView,
  approvalViewSchema,
  newLinkSchema,
  respondedSchema,
  respondSchema,
} from "../../schema/api-approval.ts";
import { approvalPage } from "../approval-list.ts";
import { signGrant } from "../approval-link.ts";
import { answerAsked, findAsked } from "../asked.ts";
import { invalid, problem, type Problem } from "../problem.ts";
import { done, type Router } from "../router.ts";

const shared = { tag: "People", access: "approvals" } as const;

const addReads = (router: Router): void => {
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/approvals",
      operation: "list_approvals",
      summary: "List what waits for people, newest first",
      description:
        "What stages of runs ask, and events that wait for a person. The list may lag by seconds; `GET /v1/approvals/{id}` does not.",
      query: approvalQuery,
      reply: { status: 200, description: "A page", name: "ApprovalPage", schema: approvalPageSchema },
    },
    async ({ query, call }) => {
      const page = await approvalPage(call, query);
      return page.ok ? done(page.value) : page.error;
    },
  );
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/approvals/{id}",
      operation: "get_approval",
      summary: "Read what people are asked, and what has become of it",
      reply: { status: 200, description: "The request", name: "Approval", schema: approvalViewSchema },
      problems: ["approval_not_found", "event_not_found"],
    },
    async ({ params, call }) => {
      const found = await findAsked(call, params.id);
      return found.ok ? done(found.value.view) : found.error;
    },
  );
};

const addRespond = (router: Router): void =>
  router.add(
    {
      ...shared,
      method: "post",
      path: "/v1/approvals/{id}/respond",
      operation: "respond_to_approval",
      summary: "Answer what a person is asked",
      description:
        "By the `request_id` that the list shows, or by the id of an event: a question takes `answer`, an approval, dual control and an event `approved`, an escalation `accepted`. " +
        "The first answer to a question counts; an approval ends with the first denial, or once enough different people have approved. What comes later is recorded and refused.",
      body: { name: "RespondRequest", schema: respondSchema },
      reply: {
        status: 200,
        description: "The request, or the event",
        name: "RespondedApproval",
        schema: respondedSchema,
      },
      problems: ["event_not_found", "approval_not_found", "approval_decided", "idempotency_key_reused"],
    },
    ({ params, body, call }) => answerAsked(call, params.id, { body, via: "api" }),
  );

/** Why nobody may be sent a link to a request; null when somebody may. */
const linkFlaw = ({ source, status, approvers, id }: ApprovalView, reviewer: string): Problem | null => {
  if (status !== "open") return problem("approval_decided", `${id} is ${status.replace("_", " ")}`, { status });
  // The reviewers of an event are roles (spec/triggers 9.5).
  if (source === "event" || approvers.length === 0 || approvers.includes(reviewer)) return null;
  return invalid([{ path: "reviewer", message: `is not asked; ${approvers.join(", ")} can be` }]);
};

const addLinks = (router: Router): void =>
  router.add(
    {
      ...shared,
      method: "post",
      path: "/v1/approvals/{id}/links",
      operation: "create_approval_link",
      summary: "Make a link under which one person can answer without a key",
      description:
        "Its page shows what is asked and takes the answer, as the named reviewer. Opening it decides nothing. It ends at its time, and when the request is settled.",
      body: { name: "NewApprovalLink", schema: newLinkSchema },
      reply: { status: 201, description: "The link", name: "ApprovalLink", schema: approvalLinkSchema },
      problems: ["approval_not_found", "event_not_found", "approval_decided"],
    },
    async ({ params, body, call }) => {
      const found = await findAsked(call, params.id);
      if (!found.ok) return found.error;
      const { reviewer, expires_in_s: seconds } = body;
      const flaw = linkFlaw(found.value.view, reviewer);
      if (flaw !== null) return flaw;
      const expires_at_ms = Date.now() + seconds * 1_000;
      const grant = { tenant: call.tenant, id: found.value.key, reviewer, expires_at_ms };
      const token = await signGrant(call.env, grant);
      if (token === null)
        return problem("unavailable", "the server has no key to sign links with: set GODWIT_ROOT_KEY");
      const url = `${new URL(call.request.url).origin}/approve/${token}`;
      return done({ url, reviewer, expires_at: new Date(expires_at_ms).toISOString() }, 201);
    },
  );

/** What people are asked, and their answers (spec/workers 24, spec/triggers 9.5). */
export const addApprovalRoutes = (router: Router): void => {
  addReads(router);
  addRespond(router);
  addLinks(router);
};
