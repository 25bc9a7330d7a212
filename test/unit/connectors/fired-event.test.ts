import { describe, expect, it } from "vitest";
import { firedEvent, firedKind } from "../../../src/connectors/fired-event.ts";
import { stored, NOON } from "../trigger/fixture.ts";

const names = { id: "u", now: NOON };

const manual = { provider: "manual", secret: undefined, match: {} } as const;

describe("events that are fired", () => {
  it("[T-22.5] have the defaults of their trigger", () => {
    expect(firedEvent(stored(manual), {}, names)).toEqual({
      provider: "manual",
      kind: "manual",
      occurred_at: null,
      dedupe_key: "synthetic:manual:manual:u",
      headers: {},
      provider_payload: { provider: "manual", schema_name: "TriggerEvent", raw: {} },
      signature_status: { state: "unsigned" },
    });
    const given = {
      kind: "k",
      payload: [1],
      dedupe_key: "d",
      occurred_at: "2026-04-19T12:00:00Z",
      headers: { Cookie: "c" },
    };
    expect(firedEvent(stored(manual), given, names)).toMatchObject({
      kind: "k",
      dedupe_key: "d",
      occurred_at: "2026-04-19T12:00:00Z",
      headers: { Cookie: "[redacted]" },
      provider_payload: { raw: [1] },
    });
  });

  it("[T-22.2] the kind is the first that the trigger matches, else that of its provider", () => {
    expect(firedKind(stored())).toBe("issues.opened");
    expect(firedKind(stored({ match: {} }))).toBe("webhook");
    const cron = stored({ provider: "cron", secret: undefined, match: {}, schedule: "0 0 * * *" });
    expect(firedKind(cron)).toBe("cron.tick");
    expect(firedEvent(cron, {}, names).provider_payload).toMatchObject({ provider: "cron", raw: {} });
    expect(firedKind({ provider: "a2a-push", kind: "a2a-push", match: { events: [] } })).toBe("a2a.task.received");
  });

  it("[T-4.2] the payload has the provider's typed form", () => {
    const issue = firedEvent(stored(), { payload: { action: "opened", issue: { number: 1 } } }, names);
    expect(issue.provider_payload).toMatchObject({
      event: "issues",
      action: "opened",
      issue: { number: 1 },
      delivery_id: null,
    });
    const webhook = stored({ provider: "webhook", secret: btoa("0123456789abcdef"), match: {} });
    expect(firedEvent(webhook, { payload: { a: 1 } }, names).provider_payload).toEqual({
      provider: "webhook",
      source: "trigger_fire",
      content_type: "application/json",
      raw: { a: 1 },
    });
    const headers = { "X-Webhook-Source": "shop", "Content-Type": "text/plain" };
    expect(firedEvent(webhook, { headers }, names).provider_payload).toMatchObject({
      source: "shop",
      content_type: "text/plain",
    });
  });
});
