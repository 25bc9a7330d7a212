import { rfc3339, type Timestamp } from "../../lib/time.ts";
import type { NormalisedEvent } from "../../schema/trigger.ts";
import type { CronBinding, CronState, CronTick } from "./state.ts";

/** A tick's moment: RFC 3339 without a fraction, because ticks are whole seconds. */
export const tickTime = (at: Timestamp): string => rfc3339(at).replace(".000Z", "Z");

/** The event of a tick; its dedupe key is the same whenever the tick is offered (spec/triggers 4.2 and 18). */
export const tickEvent = (binding: CronBinding, { tick_at_ms: at, catchup }: CronTick): NormalisedEvent => {
  const { trigger_id: id, schedule, timezone } = binding;
  const tick_at = tickTime(at);
  return {
    provider: "cron",
    kind: "tick",
    occurred_at: tick_at,
    dedupe_key: `cron:${id}:${Math.floor(at / 1000)}`,
    headers: {},
    provider_payload: { provider: "cron", cron_id: id, schedule, tick_at, raw: { catchup, timezone } },
    signature_status: { state: "unsigned" },
  };
};

/** The state of a cron trigger as it is shown; null when it has never fired (spec/triggers 18). */
export const cronStateView = (
  triggerId: string,
  state: CronState | null,
): { readonly trigger_id: string; readonly last_fired_at: string } | null => {
  const at = state?.last_fired_at_ms ?? null;
  return at === null ? null : { trigger_id: triggerId, last_fired_at: tickTime(at) };
};

/** Why a delivery cannot be sent to a cron trigger. */
export const CRON_TAKES_NOTHING = "cron is an in-process scheduler and does not accept inbound payloads";
