import { condition, defineWorkflow, escalation, map, reduce, stage } from "godwit/authoring";
import { functions } from "../src/functions.ts";
import { reducers } from "../src/reducers.ts";

/** Three questions are researched side by side, put together by a reducer, and the report is checked before it is kept. */
export const research = defineWorkflow(
  {
    id: "research",
    name: "Research with a checked report",
    entry: "investigate",
    nodes: {
      investigate: map({
        mode: "llm",
        system: "You research one question. Name what you rely on in a line that starts with `Source: `.",
        prompt: "Answer the question in the context block in a few sentences, for the topic of the task.",
        model_policy: { max_tokens: 500 },
        retry_policy: { max_attempts: 3, backoff_ms: 1000 },
        map_policy: {
          items: ["What is it?", "Who uses it, and what for?", "What speaks against it?"],
          item_artifact_kind: "question",
          output_kind: "finding",
          max_concurrent: 3,
        },
        join_policy: { strategy: "all" },
        script: {
          replies: [],
          default: [
            "{{match:(What is it|Who uses it|What speaks against it)}}: here is what is known.",
            "Source: a handbook",
          ],
        },
        next: { mapped: "collect", default: "ask_a_person" },
      }),
      collect: reduce({
        function: "numbered",
        input_contract: { input_kinds: ["finding"] },
        output_contract: { output_kinds: ["findings"] },
        next: { reduced: "write", default: "ask_a_person" },
      }),
      write: stage.llm({
        task_label: "Write the report",
        prompt: "Write a report of at most one page from the findings. End with a list under the line `Sources:`.",
        context_policy: { include_kinds: ["findings"] },
        verify: { assert_text: "Sources:" },
        retry_policy: { max_attempts: 2, backoff_ms: 1000, feedback: true },
        output_contract: { output_kinds: ["report"] },
        script: {
          replies: [{ when: { visit: 1 }, text: "A report that forgot its last part." }],
          default: ["A report that says what it relies on.", "", "Sources:", "- a handbook"],
        },
        next: { success: "is_sourced", default: "ask_a_person" },
      }),
      is_sourced: condition(
        { contains_text: "Sources:" },
        {
          // The newest report alone: the one before it is what was found wanting.
          context_policy: { include_kinds: ["report"], prefer_recent: true, max_artifacts: 1 },
          next: { true: "keep", false: "write" },
        },
      ),
      keep: stage.function({
        function: "echo",
        input: "{{input.text}}",
        context_policy: { include_kinds: ["report"], prefer_recent: true, max_artifacts: 1 },
        output_contract: { output_kinds: ["checked_report"] },
      }),
      ask_a_person: escalation({
        escalation_policy: { level: "normal", queue: "research", reason: "no report could be written" },
      }),
    },
  },
  { functions, reducers },
);
