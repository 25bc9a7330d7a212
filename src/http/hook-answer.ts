import type { Connector, ImmediateAnswer } from "../connectors/connector.ts";
import { harnAnswer } from "../connectors/harn-answer.ts";
import type { Reception } from "../connectors/receive.ts";
import type { WebhookError } from "../connectors/webhook-error.ts";
import type { Receipt } from "../schema/trigger.ts";
import { invalid, problem, type Problem, problemType } from "./problem.ts";
import { done, type Outcome } from "./router.ts";

/** What a trigger's refusal is here. */
export type HookReception = Reception<Receipt, Problem>;

interface Asked {
  readonly connector: Connector;
  readonly trigger_id: string;
  /** Whether the trigger wants the answers of the original. */
  readonly harn: boolean;
}

/** The response that an answer stands for. */
export const immediateResponse = ({ status, headers, body }: ImmediateAnswer): Response =>
  new Response(body, { status, headers: { ...headers } });

const DEFAULT_STATUS = 202;

const receivedOutcome = (
  { receipts, duplicates }: Extract<HookReception, { readonly type: "received" }>,
  status: number,
): Outcome<Receipt> => {
  const [only] = receipts;
  if (only !== undefined && receipts.length === 1) return done(only, status);
  const counts = { events_accepted: receipts.length - duplicates, duplicates_dropped: duplicates };
  return Response.json({ ...counts, receipts }, { status });
};

const refusalOf = (error: WebhookError, stage: "signature" | "payload"): Problem => {
  switch (error.kind) {
    case "too_large":
      return problem("payload_too_large", error.message);
    case "activation":
    case "unavailable":
      return problem("unavailable", error.message);
    case "json":
    case "unsupported":
      return invalid([{ path: ".", message: error.message }], error.message);
    case "missing_header":
    case "invalid_header":
      if (stage === "signature") return problem("invalid_signature", error.message);
      return invalid([{ path: error.header, message: error.message }], error.message);
    case "invalid_signature":
    case "timestamp_out_of_window":
    case "duplicate_delivery":
      return problem("invalid_signature", error.message);
  }
};

/** A refusal with what its provider reads from the headers, such as that it need not try again. */
export const withHeaders = (refusal: Problem, connector: Connector): Problem => {
  const headers = connector.headersFor?.(problemType(refusal.code).status) ?? {};
  return { ...refusal, headers: { ...refusal.headers, ...headers } };
};

/** The answer to a delivery, in this system's words or in the original's (spec/triggers 20.5). */
export const hookOutcome = (reception: HookReception, asked: Asked): Outcome<Receipt> => {
  const original = asked.harn ? harnAnswer(reception, asked) : null;
  if (original !== null) return immediateResponse(original);
  switch (reception.type) {
    case "received":
      return receivedOutcome(reception, asked.connector.receiptStatus ?? DEFAULT_STATUS);
    case "immediate":
      return immediateResponse(reception.answer);
    case "handshake":
      // Whoever asked knows the token; it is shown to the owner of the trigger only (spec/triggers 25 #23).
      return Response.json({ status: "handshake_captured" });
    case "invalid":
      return withHeaders(refusalOf(reception.error, reception.stage), asked.connector);
    case "refused":
      return reception.refusal;
    case "stale":
      return problem("unavailable", "the trigger is being changed; deliver again");
  }
};

/** Whether a request's `Origin` is let in; one without any is (spec/triggers 20.2). */
export const originIsAllowed = (origin: string | undefined, allowed: readonly string[] | undefined): boolean =>
  origin === undefined || allowed === undefined || allowed.length === 0 || allowed.includes(origin);
