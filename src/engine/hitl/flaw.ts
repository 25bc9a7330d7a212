import { reviewersOf } from "./asked.ts";
import { type HitlResponse, reviewerIn } from "./response.ts";
import type { HitlRequest } from "./state.ts";

/** What is wrong with a response before it is recorded; null for nothing. It asks for more than the fold does: a name (spec/workers 30, no. 12). */
export const responseFlaw = (
  { asking }: Pick<HitlRequest, "asking">,
  response: Omit<HitlResponse, "responded_at">,
): string | null => {
  const { asked } = asking;
  if (asked.kind === "question") return response.answer === undefined ? "answer: a question takes an `answer`" : null;
  if (asked.kind === "escalation")
    return response.accepted === undefined ? "accepted: an escalation takes `accepted`, true or false" : null;
  if (response.approved === undefined) return "approved: an approval takes `approved`, true or false";
  const reviewer = reviewerIn(response);
  if (reviewer === null) return "reviewer: who approves or denies gives a name";
  const allowed = reviewersOf(asked);
  if (allowed.length === 0 || allowed.includes(reviewer)) return null;
  return `reviewer: ${reviewer} is not asked; ${allowed.join(", ")} ${allowed.length === 1 ? "is" : "are"}`;
};
