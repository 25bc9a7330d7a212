import type { JsonObject } from "../lib/json.ts";
import type { Connector, ImmediateAnswer } from "./connector.ts";
import type { Reception } from "./receive.ts";
import type { WebhookError } from "./webhook-error.ts";

/** Status of each kind of refusal in the original; bad JSON is the sender's fault (spec/triggers 19.1, 25 #24). */
const STATUS: Readonly<Record<WebhookError["kind"], number>> = {
  missing_header: 400,
  invalid_header: 400,
  invalid_signature: 400,
  timestamp_out_of_window: 400,
  json: 400,
  too_large: 413,
  unsupported: 422,
  activation: 500,
  duplicate_delivery: 200,
  unavailable: 503,
};

const TEXT = { "content-type": "text/plain; charset=utf-8" } as const;
const JSON_TYPE = { "content-type": "application/json" } as const;

/** An answer of plain text. */
export const textAnswer = (
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): ImmediateAnswer => ({
  status,
  headers: { ...TEXT, ...headers },
  body,
});

const jsonAnswer = (body: JsonObject): ImmediateAnswer => ({
  status: 200,
  headers: JSON_TYPE,
  body: JSON.stringify(body),
});

const receivedAnswer = (trigger_id: string, eventIds: readonly string[], duplicates: number): ImmediateAnswer => {
  const accepted = eventIds.length - duplicates;
  const [event_id = ""] = eventIds;
  if (accepted === 1 && duplicates === 0) return jsonAnswer({ status: "accepted", event_id, trigger_id });
  if (accepted === 0 && duplicates > 0) return jsonAnswer({ status: "duplicate_dropped", trigger_id });
  return jsonAnswer({ status: "accepted", events_accepted: accepted, duplicates_dropped: duplicates, trigger_id });
};

/** The answer of the original to a delivery; null where it has none of its own (spec/triggers 20.5). */
export const harnAnswer = <Refusal>(
  reception: Reception<{ readonly event_id: string }, Refusal>,
  { connector, trigger_id }: { readonly connector: Connector; readonly trigger_id: string },
): ImmediateAnswer | null => {
  switch (reception.type) {
    case "received": {
      const eventIds = reception.receipts.map((receipt) => receipt.event_id);
      return receivedAnswer(trigger_id, eventIds, reception.duplicates);
    }
    case "immediate":
      return reception.answer;
    case "handshake":
      return jsonAnswer({ status: "handshake_captured", verification_token: reception.token });
    case "invalid": {
      const status = STATUS[reception.error.kind];
      return textAnswer(status, reception.error.message, connector.headersFor?.(status));
    }
    case "refused":
    case "stale":
      return null;
  }
};
