import { condition, defineWorkflow, escalation, stage, subagent } from "godwit/authoring";
import { functions } from "../src/functions.ts";
import { tools } from "../src/tools.ts";

/** A scout of its own looks something up, under a policy narrower than the run's; the briefing is written from what it reports. */
export const briefing = defineWorkflow(
  {
    id: "briefing",
    name: "Briefing by a scout",
    entry: "scout",
    nodes: {
      scout: subagent({
        mode: "agent",
        task_label: "Look the order up",
        system: "You look orders up. You answer with what you found, and with nothing else.",
        prompt: "Find the order that the task names.",
        tools: [{ name: "find_order" }],
        capability_policy: { tools: ["find_order"], side_effect_level: "read_only", recursion_limit: 1 },
        metadata: { worker_name: "scout", workflow_stages: ["look up", "report"] },
        output_contract: { output_kinds: ["finding"] },
        script: {
          replies: [
            {
              when: { turn: 1 },
              text: "I look the order up.",
              tool_calls: [{ name: "find_order", arguments: { order: "{{match:A-[0-9]{4}}}" } }],
            },
          ],
          default: "The order is known.",
        },
        next: { success: "is_known", default: "ask_a_person" },
      }),
      is_known: condition(
        { artifact_kind: "worker_result" },
        { context_policy: { include_kinds: ["worker_result"] }, next: { true: "write", false: "ask_a_person" } },
      ),
      write: stage.llm({
        task_label: "Write the briefing",
        prompt: "Write a briefing of two sentences for whoever answers the customer.",
        context_policy: { include_kinds: ["finding"] },
        output_contract: { output_kinds: ["briefing"] },
        script: { replies: [], default: ["The order is known.", "Whoever answers can say so."] },
        next: { success: "keep", default: "ask_a_person" },
      }),
      keep: stage.function({
        function: "echo",
        input: "{{input.text}}",
        context_policy: { include_kinds: ["briefing"], prefer_recent: true, max_artifacts: 1 },
        output_contract: { output_kinds: ["kept"] },
      }),
      ask_a_person: escalation({
        escalation_policy: { level: "normal", queue: "briefings", reason: "the scout found nothing" },
      }),
    },
  },
  { functions, tools },
);
