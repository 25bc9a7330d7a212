import * as z from "zod";
import { createTools } from "./executor/tool-registry.ts";

/** The orders of the example `support-desk`; a real tool asks the system that knows. */
const ORDERS = [
  { order: "A-1001", item: "desk lamp", cents: 4_900, state: "delivered" },
  { order: "A-1002", item: "office chair", cents: 18_900, state: "on its way" },
];

const order = z
  .string()
  .regex(/^A-\d{4}$/)
  .describe("The number of the order, such as A-1001");

/**
 * The tools that agents can name. Register yours here and deploy.
 *
 * `echo` answers with its text. `find_order` and `refund_order` are those of the example `support-desk`.
 */
export const tools = createTools({
  echo: {
    description: "Answers with the text it is given.",
    parameters: z.object({ text: z.string() }),
    annotations: { kind: "think", side_effect_level: "none" },
    execute: ({ text }) => text,
  },
  find_order: {
    description: "Looks an order up by its number.",
    parameters: z.object({ order }),
    annotations: { kind: "read", side_effect_level: "read_only" },
    execute: ({ order: number }) => ORDERS.find((one) => one.order === number) ?? { problem: `no order ${number}` },
  },
  refund_order: {
    description: "Pays the price of an order back.",
    parameters: z.object({ order, reason: z.string().min(1) }),
    annotations: { kind: "edit", side_effect_level: "network" },
    // The key is the same whenever this call is made again, so that nothing is paid back twice.
    execute: ({ order: number, reason }, { idempotency_key: refund }) => ({ order: number, reason, refund }),
  },
});
