import { condition, defineWorkflow, escalation, stage } from "godwit/authoring";
import { functions } from "../src/functions.ts";
import { tools } from "../src/tools.ts";

/**
 * An agent answers a customer with two tools. It looks orders up by itself; paying one back needs the approval of a
 * person, and the run waits for it.
 */
export const supportDesk = defineWorkflow(
  {
    id: "support-desk",
    name: "Answer a customer about an order",
    entry: "resolve",
    nodes: {
      resolve: stage.agent({
        task_label: "Resolve the customer's request",
        system:
          "You work at the support desk of a shop. Look orders up before you speak of them. " +
          "Pay an order back only where the customer asks for it and the order was delivered.",
        prompt: "Resolve the request. End with one sentence to the customer that starts with `Answer: `.",
        tools: [{ name: "find_order" }, { name: "refund_order" }],
        capability_policy: { tools: ["find_order", "refund_order"], side_effect_level: "network" },
        approval_policy: { auto_approve: ["find_order"], require_approval: ["refund_order"] },
        model_policy: { max_iterations: 6, max_tokens: 800 },
        retry_policy: { max_attempts: 3, backoff_ms: 1000, jitter: 0.2, retry_on: ["rate_limit", "overloaded"] },
        output_contract: { output_kinds: ["answer"] },
        script: {
          replies: [
            {
              when: { turn: 1 },
              text: "Let me look the order up.",
              tool_calls: [{ name: "find_order", arguments: { order: "{{match:A-[0-9]{4}}}" } }],
            },
            {
              when: { turn: 2 },
              text: "It was delivered, so it can be paid back.",
              tool_calls: [
                {
                  name: "refund_order",
                  arguments: { order: "{{match:A-[0-9]{4}}}", reason: "the customer sent it back" },
                },
              ],
            },
          ],
          default: "Answer: Order {{match:A-[0-9]{4}}} has been paid back; the money is with you in three days.",
        },
        next: { success: "has_answer", default: "ask_a_person" },
      }),
      has_answer: condition(
        { contains_text: "Answer: " },
        { context_policy: { include_kinds: ["answer"] }, next: { true: "send", false: "ask_a_person" } },
      ),
      send: stage.function({
        function: "echo",
        input: "{{input.text}}",
        context_policy: { include_kinds: ["answer"], max_artifacts: 1 },
        output_contract: { output_kinds: ["message"] },
      }),
      ask_a_person: escalation({
        escalation_policy: { level: "normal", queue: "support", reason: "the request could not be resolved" },
      }),
    },
  },
  { functions, tools },
);
