import { condition, defineWorkflow, escalation, sleep, stage, wait } from "godwit/authoring";
import { functions } from "../src/functions.ts";

const DAY_MS = 86_400_000;

/** A draft waits for the word of a person, is reminded of once, rests a moment and is published. Idle, it costs nothing. */
export const announcement = defineWorkflow(
  {
    id: "announcement",
    name: "Publish an announcement after approval",
    entry: "draft",
    nodes: {
      draft: stage.llm({
        task_label: "Draft the announcement",
        prompt: "Draft the announcement that the task asks for: a headline and at most three sentences.",
        output_contract: { output_kinds: ["draft"] },
        script: {
          replies: [],
          default: ["Godwit flies", "", "The first version is there. It runs on your own account."],
        },
        next: { success: "decision", default: "ask_a_person" },
      }),
      decision: wait(
        { message: "decision", timeout_ms: DAY_MS },
        {
          output_contract: { output_kinds: ["decision"] },
          next: { success: "is_approved", timeout: "remind", default: "ask_a_person" },
        },
      ),
      remind: stage.function({
        function: "echo",
        input: "The draft of run {{run_id}} waits for your decision.",
        output_contract: { output_kinds: ["reminder"] },
        next: "last_call",
      }),
      last_call: wait(
        { message: "decision", timeout_ms: DAY_MS },
        {
          output_contract: { output_kinds: ["decision"] },
          next: { success: "is_approved", default: "ask_a_person" },
        },
      ),
      is_approved: condition(
        { contains_text: "approved" },
        {
          context_policy: { include_kinds: ["decision"] },
          next: { true: "rest", false: "ask_a_person" },
        },
      ),
      rest: sleep({ ms: 2_000 }, { next: "publish" }),
      publish: stage.function({
        function: "echo",
        input: "{{nodes.draft.text}}",
        output_contract: { output_kinds: ["announcement"] },
      }),
      ask_a_person: escalation({
        escalation_policy: { level: "normal", queue: "editors", reason: "the announcement was not approved" },
      }),
    },
  },
  { functions },
);
