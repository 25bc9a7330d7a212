import { err, ok } from "../lib/result.ts";
import { bodyDigest, eventOf, fieldOf, jsonBody, momentText, nameText } from "./body.ts";
import { type Connector, contentOf, PROVEN } from "./connector.ts";
import { linearEvent, linearPayload } from "./linear-payload.ts";
import { linearSignature, linearWindowMs, millisOf } from "./signature-linear.ts";
import { unsupported } from "./webhook-error.ts";

/** Linear (spec/triggers 19.5): the kind is `<type>.<action>`. It takes nothing but 200 for success. */
export const linear: Connector = {
  provider: "linear",
  style: () => linearSignature.style,
  verify: async (request, binding) => {
    const verdict = await linearSignature.verify(request, linearWindowMs(binding.replay_grace_secs));
    return verdict.ok ? ok(PROVEN) : verdict;
  },
  normalise: async (request, _binding, proof) => {
    const content = contentOf(request);
    const body = content.ok ? jsonBody(content.value) : content;
    if (!body.ok) return body;
    const raw = body.value;
    const event = linearEvent(raw, request.headers["linear-event"]);
    const kind = nameText(`${event}.${nameText(fieldOf(raw, "action")) ?? "update"}`);
    if (kind === null) return err(unsupported("the linear type cannot be the kind of an event"));
    const id = nameText(request.headers["linear-delivery"]) ?? nameText(fieldOf(raw, "webhookId"));
    return ok(
      eventOf(request, proof, {
        provider: "linear",
        kind,
        occurred_at: momentText(millisOf(fieldOf(raw, "webhookTimestamp"))),
        dedupe_key: id ?? (await bodyDigest(request.body)),
        provider_payload: linearPayload(request.headers, raw),
      }),
    );
  },
  receiptStatus: 200,
};
