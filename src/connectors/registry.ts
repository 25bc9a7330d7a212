import { err, ok, type Result } from "../lib/result.ts";
import type { TriggerProvider } from "../schema/trigger.ts";
import type { Connector } from "./connector.ts";
import { github } from "./github.ts";
import type { WebhookError } from "./webhook-error.ts";
import { webhook } from "./webhook.ts";

/** Every connector by provider. A new provider is one file and one line here (and its name in the trigger schema). */
export const CONNECTORS: Readonly<Record<TriggerProvider, Connector>> = { github, webhook };

const byName: ReadonlyMap<string, Connector> = new Map(Object.entries(CONNECTORS));

/** The connector of a provider; the text of the refusal is that of spec/triggers 4.5. */
export const connectorFor = (provider: string): Result<Connector, WebhookError> => {
  const connector = byName.get(provider);
  if (connector !== undefined) return ok(connector);
  return err({ kind: "unsupported", message: `provider \`${provider}\` is not registered` });
};
