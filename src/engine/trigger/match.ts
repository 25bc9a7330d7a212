import type { NormalisedEvent } from "../../schema/trigger.ts";
import type { StoredDefinition } from "../../schema/trigger-definition.ts";

/** Why an event is handled or skipped. */
export interface Verdict {
  readonly stage: "dedupe" | "match" | "filter" | "predicate" | "autonomy" | "flow_control" | "circuit" | "handler";
  readonly outcome: "passed" | "skipped" | "held";
  readonly reason: string;
}

/**
 * Whether a trigger handles an event (spec/triggers 5.5: `match.events` is enforced at intake).
 *
 * An entry is a kind (`issues.opened`), one with its provider (`cron.tick`), or the provider's bare event name (`issues`), which stands for all
 * its actions.
 */
export const matchVerdict = (
  match: StoredDefinition["match"],
  event: Pick<NormalisedEvent, "provider" | "kind" | "provider_payload">,
): Verdict => {
  const { events = [] } = match;
  if (events.length === 0) return { stage: "match", outcome: "passed", reason: "every kind is handled" };
  const names: readonly unknown[] = [event.kind, event.provider_payload["event"], `${event.provider}.${event.kind}`];
  const entry = events.find((name) => names.includes(name));
  return entry === undefined
    ? { stage: "match", outcome: "skipped", reason: `kind \`${event.kind}\` is not in match.events` }
    : { stage: "match", outcome: "passed", reason: `match.events has \`${entry}\`` };
};
