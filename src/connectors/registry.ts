import { err, ok, type Result } from "../lib/result.ts";
import type { InboundProvider } from "../schema/trigger-auth.ts";
import { a2aPush } from "./a2a-push.ts";
import type { Connector } from "./connector.ts";
import { github } from "./github.ts";
import { cron, manual } from "./in-process.ts";
import { linear } from "./linear.ts";
import { notion } from "./notion.ts";
import { slack } from "./slack.ts";
import { stripe } from "./stripe.ts";
import { unsupported, type WebhookError } from "./webhook-error.ts";
import { webhook } from "./webhook.ts";

/** Every connector that takes deliveries in, by provider. A new one is one file and one line here (and its name in the schema). */
export const CONNECTORS: Readonly<Record<InboundProvider, Connector>> = {
  github,
  slack,
  linear,
  notion,
  stripe,
  webhook,
  "a2a-push": a2aPush,
};

const byName: ReadonlyMap<string, Connector> = new Map(Object.entries({ ...CONNECTORS, cron, manual }));

/** The refusal of a provider that nobody knows; the text is that of spec/triggers 4.5. */
export const unknownProvider = (provider: string): WebhookError =>
  unsupported(`provider \`${provider}\` is not registered`);

/** The connector of a provider. */
export const connectorFor = (provider: string): Result<Connector, WebhookError> => {
  const connector = byName.get(provider);
  return connector === undefined ? err(unknownProvider(provider)) : ok(connector);
};
