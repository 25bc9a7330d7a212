import type { Context } from "hono";
import { utf8Text } from "../../connectors/encoding.ts";
import { isObject, type Json } from "../../lib/json.ts";
import { parseJson } from "../../lib/json-text.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { ApprovalView, RespondRequest } from "../../schema/api-approval.ts";
import { type ApprovalGrant, openGrant } from "../approval-link.ts";
import { askedPage, type Filled, messagePage } from "../approval-page.ts";
import { answerAsked, findAsked, misfitOf } from "../asked.ts";
import { readBytes } from "../body.ts";
import type { Call } from "../call.ts";
import { type Problem, problemType } from "../problem.ts";
import type { App, HonoEnv, Router } from "../router.ts";

const MAX_FORM_BYTES = 65_536;

const callFor = (c: Context<HonoEnv>, tenant: string): Call => ({
  env: c.env,
  request: c.req.raw,
  request_id: c.get("request_id"),
  tenant,
  principal: { tenant, scopes: ["approvals"], is_root: false },
  idempotency_key: null,
  waitUntil: (work) => c.executionCtx.waitUntil(work),
});

const refused = (refusal: Problem): Response =>
  messagePage(problemType(refusal.code).status, "This cannot be answered", refusal.detail);

/** Who holds the link, and what is asked; or the page that says why there is nothing. */
const opened = async (
  c: Context<HonoEnv>,
): Promise<Result<{ readonly call: Call; readonly grant: ApprovalGrant; readonly view: ApprovalView }, Response>> => {
  const grant = await openGrant(c.env, c.req.param("token") ?? "", Date.now());
  if (!grant.ok)
    return err(
      grant.error === "expired"
        ? messagePage(410, "This link has expired", "Ask whoever sent it for a new one.")
        : messagePage(403, "This link is not valid", "Open it exactly as it was sent, or ask for a new one."),
    );
  const call = callFor(c, grant.value.tenant);
  const found = await findAsked(call, grant.value.id);
  return found.ok ? ok({ call, grant: grant.value, view: found.value.view }) : err(refused(found.error));
};

const FORM = /^application\/x-www-form-urlencoded\s*(?:;|$)/i;

const readForm = async (request: Request): Promise<Result<URLSearchParams, Response>> => {
  if (!FORM.test(request.headers.get("Content-Type") ?? ""))
    return err(messagePage(415, "This cannot be read", "Use the form of the page."));
  const bytes = await readBytes(request, MAX_FORM_BYTES);
  if (!bytes.ok) return err(refused(bytes.error));
  return ok(new URLSearchParams(utf8Text(bytes.value) ?? ""));
};

const DECISIONS: Readonly<Record<string, Pick<RespondRequest, "approved" | "accepted">>> = {
  approve: { approved: true },
  deny: { approved: false },
  accept: { accepted: true },
  decline: { accepted: false },
};

/** What was typed, as the value that the question's schema takes where it takes it. */
const typed = (view: ApprovalView, text: string): Json => {
  if (!isObject(view.metadata["schema"])) return text;
  const parsed = parseJson(text);
  const value = parsed.ok ? (parsed.value as Json) : text;
  return misfitOf(view, text) !== null && misfitOf(view, value) === null ? value : text;
};

const MAX_REASON_CHARACTERS = 1_000;

const answerOf = (view: ApprovalView, fields: URLSearchParams, reviewer: string): RespondRequest | null => {
  const reason = (fields.get("reason") ?? "").trim().slice(0, MAX_REASON_CHARACTERS);
  const said = { reviewer, ...(reason === "" ? {} : { reason }) };
  if (view.request_kind === "question") {
    const answer = fields.get("answer") ?? "";
    return answer.trim() === "" ? null : { ...said, answer: typed(view, answer) };
  }
  const decision = fields.get("decision") ?? "";
  const chosen = Object.hasOwn(DECISIONS, decision) ? DECISIONS[decision] : undefined;
  const isFitting = (chosen?.accepted !== undefined) === (view.request_kind === "escalation");
  return chosen === undefined || !isFitting ? null : { ...said, ...chosen };
};

const show = async (c: Context<HonoEnv>): Promise<Response> => {
  const found = await opened(c);
  return found.ok ? askedPage(found.value.view, found.value.grant.reviewer) : found.error;
};

const decide = async (c: Context<HonoEnv>): Promise<Response> => {
  const found = await opened(c);
  if (!found.ok) return found.error;
  const { call, grant, view } = found.value;
  const fields = await readForm(c.req.raw);
  if (!fields.ok) return fields.error;
  const { reviewer, id } = grant;
  const filled: Filled = { answer: fields.value.get("answer") ?? "", reason: fields.value.get("reason") ?? "" };
  // Whoever has a link could otherwise fill the journal of the run.
  if (view.status !== "open") return askedPage(view, reviewer, { status: 409, filled });
  const body = answerOf(view, fields.value, reviewer);
  if (body === null) {
    const error = view.request_kind === "question" ? "Give an answer." : "Choose one of the buttons.";
    return askedPage(view, reviewer, { status: 400, error, filled });
  }
  const outcome = await answerAsked(call, id, { body, via: "link" });
  const now = await findAsked(call, id);
  const after = now.ok ? now.value.view : view;
  if ("code" in outcome) {
    const { status } = problemType(outcome.code);
    return askedPage(after, reviewer, { status, error: outcome.detail, filled });
  }
  return askedPage(after, reviewer, after.status === "open" ? { filled } : {});
};

/**
 * The page under a signed link: it shows what is asked, and takes the answer of the person that the link was made for. It
 * needs no key and no script. Opening it decides nothing, because programs that scan mail open links.
 */
export const addApprovePage = (_router: Router, app: App): void => {
  app.get("/approve/:token", show);
  app.post("/approve/:token", decide);
};
