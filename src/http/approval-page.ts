import { isObject, type Json } from "../lib/json.ts";
import type { ApprovalView } from "../schema/api-approval.ts";

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** A text as it stands in HTML, in an element or in an attribute. */
const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (sign) => ENTITIES[sign] ?? "");

/** Nothing is loaded but the style, and the form goes nowhere else. */
const POLICY =
  "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const page = (status: number, title: string, body: string): Response => {
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex, nofollow">
<title>${escaped(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/approve.css">
</head>
<body>
<main>
<h1>${escaped(title)}</h1>
${body}
</main>
</body>
</html>
`;
  return new Response(html, {
    status,
    headers: {
      "Content-Type": "text/html; charset=utf-8",
      "Content-Security-Policy": POLICY,
      "X-Robots-Tag": "noindex, nofollow",
    },
  });
};

const TITLES: Readonly<Record<ApprovalView["request_kind"], string>> = {
  question: "A question for you",
  approval: "An approval is asked of you",
  dual_control: "An action waits to be released",
  escalation: "Somebody has to take over",
};

const spoken = (value: Json | undefined): string => {
  if (value === undefined || value === null || value === "") return "";
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
};

/** Facts as a list of terms; those without a value are left out. */
const facts = (entries: readonly (readonly [string, Json | undefined])[]): string => {
  const rows = entries.flatMap(([term, value]) => {
    const text = spoken(value);
    if (text === "" || text === "[]") return [];
    const shown = text.includes("\n") ? `<pre>${escaped(text)}</pre>` : escaped(text);
    return [`<dt>${escaped(term)}</dt>\n<dd>${shown}</dd>`];
  });
  return rows.length === 0 ? "" : `<dl>\n${rows.join("\n")}\n</dl>`;
};

/** A time to the minute, as people read it: 2026-11-21 05:22 UTC. */
const minuteOf = (time: string | null): string | null =>
  time === null ? null : time.replace(/^(.{10})T(.{5}).*Z$/, "$1 $2 UTC");

/** What dual control carries out, without a detail that is not there. */
const carriedOut = (release: Json | undefined): Json | undefined => {
  if (!isObject(release) || release["detail"] !== null) return release;
  const { detail: _none, ...rest } = release;
  return rest;
};

const asked = (view: ApprovalView): string => {
  const { prompt, metadata, agent, deadline, approvers, approvers_required: needed, approved_by: approved } = view;
  const isEvent = view.source === "event";
  const { args, detail, evidence_refs, capabilities_requested, role, release } = metadata;
  // What dual control takes is said by what it carries out, and by the count.
  const isRelease = release !== undefined && release !== null;
  const isSaidTwice = JSON.stringify(args) === JSON.stringify(detail);
  const about: readonly (readonly [string, Json | undefined])[] = isEvent
    ? [["Details", view.detail]]
    : [
        ["Arguments", isSaidTwice || isRelease ? null : args],
        ["Details", detail],
      ];
  const count = needed > 1 ? `${approved.length} of ${needed}` : undefined;
  return `<p class="prompt">${escaped(prompt)}</p>
${facts([
  ["Reason", view.reason],
  ["Role", role],
  ["Carries out", carriedOut(release)],
  ...about,
  ["Evidence", evidence_refs],
  ["Asks to use", capabilities_requested],
  ["Asked by", agent],
  ["Asked at", minuteOf(view.requested_at)],
  ["Answer until", minuteOf(deadline)],
  ["May answer", approvers.join(", ")],
  ["Approved so far", count],
])}`;
};

const field = (name: string, label: string, value: string): string =>
  `<p><label for="${name}">${escaped(label)}</label>
<textarea id="${name}" name="${name}" rows="3" maxlength="1000">${escaped(value)}</textarea></p>`;

const button = (value: string, label: string): string =>
  `<button type="submit" name="decision" value="${value}">${escaped(label)}</button>`;

const answerField = ({ metadata }: ApprovalView, value: string): string => {
  const schema = metadata["schema"];
  const choices = schema !== null && typeof schema === "object" && "enum" in schema ? schema.enum : undefined;
  if (!Array.isArray(choices)) {
    const label = '<label for="answer">Your answer</label>';
    return `<p>${label}\n<textarea id="answer" name="answer" rows="4" required maxlength="10000">${escaped(value)}</textarea></p>`;
  }
  const options = choices.map((choice: Json, index) => {
    const text = typeof choice === "string" ? choice : JSON.stringify(choice);
    const isChosen = text === value ? " checked" : "";
    return `<p><input type="radio" id="answer-${index}" name="answer" value="${escaped(text)}" required${isChosen}>
<label for="answer-${index}">${escaped(text)}</label></p>`;
  });
  return `<fieldset><legend>Your answer</legend>\n${options.join("\n")}\n</fieldset>`;
};

/** What a person has filled in. */
export interface Filled {
  readonly answer?: string;
  readonly reason?: string;
}

const form = (view: ApprovalView, { answer = "", reason = "" }: Filled): string => {
  const kind = view.request_kind;
  const why = kind === "question" ? "" : field("reason", "Why (others can read it)", reason);
  const own = kind === "question" ? answerField(view, answer) : why;
  const buttons =
    kind === "question"
      ? button("answer", "Send the answer")
      : kind === "escalation"
        ? `${button("accept", "I take it over")}\n${button("decline", "I cannot take it over")}`
        : `${button("approve", "Approve")}\n${button("deny", "Deny")}`;
  return `<form method="post" autocomplete="off">\n${own}\n<p class="buttons">${buttons}</p>\n</form>`;
};

const SETTLED: Readonly<Record<ApprovalView["status"], string>> = {
  open: "It still waits for others.",
  answered: "It was answered.",
  approved: "It was approved.",
  denied: "It was denied.",
  accepted: "Somebody has taken it over.",
  timed_out: "Its time is over.",
  cancelled: "It was called off.",
};

/** What a person is asked, with a form to answer where it is open. */
export const askedPage = (
  view: ApprovalView,
  reviewer: string,
  more: { readonly status?: number; readonly error?: string; readonly filled?: Filled } = {},
): Response => {
  const { status = 200, error, filled = {} } = more;
  const has = view.approved_by.includes(reviewer);
  const state =
    view.status === "open" && !has
      ? ""
      : `<p role="status">${has ? "You have approved it. " : ""}${SETTLED[view.status]}</p>`;
  const alert = error === undefined ? "" : `<p role="alert">${escaped(error)}</p>`;
  const you = `<p>You answer as <strong>${escaped(reviewer)}</strong>.</p>`;
  const open = view.status === "open" && !has ? `${you}\n${form(view, filled)}` : "";
  return page(
    status,
    TITLES[view.request_kind],
    [alert, asked(view), state, open].filter((part) => part !== "").join("\n"),
  );
};

/** A page that says one thing. */
export const messagePage = (status: number, title: string, text: string): Response =>
  page(status, title, `<p role="${status < 400 ? "status" : "alert"}">${escaped(text)}</p>`);
