import { approvalPageSchema, approvalQuery, type ApprovalRow } from "../../schema/api-approval.ts";
import type { EventView } from "../../schema/trigger-event.ts";
import { eventPosition, listEvents } from "../event-rows.ts";
import { eventViews } from "../event-views.ts";
import { CURSOR_ISSUE, decodeCursor, pageFrom } from "../page.ts";
import { invalid } from "../problem.ts";
import { done, type Router } from "../router.ts";

const rowOf = (view: EventView | null): readonly ApprovalRow[] => {
  // The list lags: somebody may have answered meanwhile.
  if (view?.status !== "waiting" || view.approval === null) return [];
  const { event_id, trigger_id, approval } = view;
  const { decision: _decision, ...asked } = approval;
  return [{ event_id, trigger_id, ...asked }];
};

/** What people are asked (spec/triggers 9.5). */
export const addApprovalRoutes = (router: Router): void => {
  router.add(
    {
      method: "get",
      tag: "Events",
      access: "approvals",
      path: "/v1/approvals",
      operation: "list_approvals",
      summary: "List the events that wait for a person, with what is asked, oldest first",
      query: approvalQuery,
      reply: { status: 200, description: "A page", name: "ApprovalPage", schema: approvalPageSchema },
    },
    async ({ query, call }) => {
      const after = query.cursor === undefined ? null : decodeCursor(query.cursor, 2);
      if (after === null && query.cursor !== undefined) return invalid([CURSOR_ISSUE]);
      const { limit } = query;
      const filter = { limit, status: "waiting", view: "unsettled" } as const;
      const rows = await listEvents(call.env.DB, call.tenant, filter, { after, now: Date.now() });
      const page = pageFrom(rows, limit, eventPosition);
      const views = await eventViews(call, page.items);
      return done({ items: views.flatMap(rowOf), next_cursor: page.next_cursor });
    },
  );
};
