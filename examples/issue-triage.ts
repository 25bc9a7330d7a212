import { condition, defineWorkflow, escalation, fork, join, reduce, stage } from "godwit/authoring";
import { functions } from "../src/functions.ts";

const PATIENT = { max_attempts: 3, backoff_ms: 1000 } as const;

/** What all first answers have in common. */
const DRAFT = {
  system: "You answer issues of a software project on behalf of its maintainers: friendly, exact, without promises.",
  model_policy: { max_tokens: 600 },
  context_policy: { include_kinds: ["issue", "classification"] },
  retry_policy: PATIENT,
  output_contract: { output_kinds: ["draft"] },
  verify: { assert_text: "Next steps:" },
} as const;

/** Answers a GitHub issue: what it is, a draft, a revision where the draft lacks its last part, a summary and labels. */
export const issueTriage = defineWorkflow(
  {
    id: "issue-triage",
    name: "Triage of a GitHub issue",
    entry: "read_issue",
    nodes: {
      read_issue: stage.function({
        function: "echo",
        input:
          "Repository: {{trigger_event.provider_payload.raw.repository.full_name}}\nIssue #{{trigger_event.provider_payload.issue.number}}: {{trigger_event.provider_payload.issue.title}}\nReported by @{{trigger_event.provider_payload.issue.user.login}}\n\n{{trigger_event.provider_payload.issue.body}}",
        output_contract: { output_kinds: ["issue"] },
      }),
      classify: stage.llm({
        task_label: "Classify the issue",
        system: "You triage issues of a software project. You are exact and brief.",
        prompt:
          "Read the issue in the context block and decide what it is. Answer with exactly two lines: first `class: ` followed by bug, question or other; then one sentence that says why.",
        model_policy: { max_tokens: 200 },
        context_policy: { include_kinds: ["issue"] },
        retry_policy: PATIENT,
        output_contract: { output_kinds: ["classification"] },
        script: {
          replies: [
            {
              when: { prompt_contains: "Steps to reproduce" },
              text: ["class: bug", "It names what happens, what should happen and how to reproduce it."],
            },
            {
              when: { prompt_contains: "How do I" },
              text: ["class: question", "It asks how something is done and reports no fault."],
            },
          ],
          default: ["class: other", "It neither reports a fault nor asks a question."],
        },
      }),
      is_bug: condition({ contains_text: "class: bug" }, { context_policy: { include_kinds: ["classification"] } }),
      is_question: condition(
        { contains_text: "class: question" },
        { context_policy: { include_kinds: ["classification"] } },
      ),
      draft_bug: stage.llm({
        task_label: "Draft the answer to a bug report",
        ...DRAFT,
        prompt:
          "Draft the first answer to this bug report: confirm in one sentence what was understood, say what is missing to reproduce it, and end with a list under the line `Next steps:`.",
        script: {
          replies: [
            {
              text: [
                "Thank you for the clear report, @{{match:Reported by @([A-Za-z0-9-]{1,39})}}.",
                "",
                'We understand that "{{match:Issue #[0-9]{1,9}: (.{1,200})}}" happens every time with the steps you gave. That is not meant to be so, and we are looking into it.',
              ],
            },
          ],
        },
      }),
      draft_question: stage.llm({
        task_label: "Draft the answer to a question",
        ...DRAFT,
        prompt:
          "Draft the answer to this question from what the issue itself tells; say what you do not know, and end with a list under the line `Next steps:`.",
        script: {
          replies: [
            {
              text: [
                "Thank you for asking, @{{match:Reported by @([A-Za-z0-9-]{1,39})}}.",
                "",
                "Next steps:",
                '- Look at the guide for "{{match:Issue #[0-9]{1,9}: (.{1,200})}}".',
                "- Tell us here what is still open.",
              ],
            },
          ],
        },
      }),
      draft_other: stage.llm({
        task_label: "Draft the answer to any other issue",
        ...DRAFT,
        prompt:
          "Draft a short answer that says what will happen with this issue, and end with a list under the line `Next steps:`.",
        script: {
          replies: [
            {
              text: [
                "Thank you for writing, @{{match:Reported by @([A-Za-z0-9-]{1,39})}}.",
                "",
                "Next steps:",
                '- A maintainer looks at "{{match:Issue #[0-9]{1,9}: (.{1,200})}}" this week.',
              ],
            },
          ],
        },
      }),
      draft_is_complete: condition({ contains_text: "Next steps:" }, { context_policy: { include_kinds: ["draft"] } }),
      revise: stage.llm({
        task_label: "Revise the draft",
        system: "You edit answers to issues of a software project. You keep what is right and add what is missing.",
        prompt:
          "The draft in the context block has no list of next steps. Write it again, whole, with such a list at its end, under the line `Next steps:`.",
        model_policy: { max_tokens: 600 },
        context_policy: { include_kinds: ["issue", "draft"] },
        retry_policy: PATIENT,
        output_contract: { output_kinds: ["revised_draft"] },
        verify: { assert_text: "Next steps:" },
        script: {
          replies: [
            {
              text: [
                "Thank you for the clear report, @{{match:Reported by @([A-Za-z0-9-]{1,39})}}.",
                "",
                'We understand that "{{match:Issue #[0-9]{1,9}: (.{1,200})}}" happens every time with the steps you gave. That is not meant to be so.',
                "",
                "Next steps:",
                "- A maintainer reproduces it with your steps.",
                "- Please add the output of `ledgerline doctor`, so that we know your locale and the version of the runtime.",
                "- We link the fix here as soon as it is under review.",
              ],
            },
          ],
        },
      }),
      revision_is_complete: condition(
        { contains_text: "Next steps:" },
        { context_policy: { include_kinds: ["revised_draft"] } },
      ),
      ask_a_person: escalation({
        context_policy: { include_kinds: ["issue", "draft", "revised_draft"] },
        escalation_policy: {
          level: "normal",
          queue: "maintainers",
          reason: "no answer with next steps could be written",
        },
      }),
      accept: stage.function({
        function: "echo",
        input: "{{input.text}}\n\n_Drafted automatically; a maintainer reads along._",
        input_contract: { input_kinds: ["draft", "revised_draft"] },
        context_policy: { prioritize_kinds: ["revised_draft"], max_artifacts: 1 },
        output_contract: { output_kinds: ["answer"] },
      }),
      fan_out: fork(),
      summarise: stage.llm({
        task_label: "Summarise for the maintainers",
        prompt:
          "Write one sentence for the maintainers' list that says what the issue is about and what was answered. Start it with `Summary: `.",
        model_policy: { max_tokens: 200 },
        context_policy: { include_kinds: ["issue", "answer"] },
        retry_policy: PATIENT,
        output_contract: { output_kinds: ["summary"] },
        script: {
          replies: [],
          default:
            'Summary: #{{match:Issue #([0-9]{1,9})}} "{{match:Issue #[0-9]{1,9}: (.{1,200})}}" was answered; the reporter was told what happens next.',
        },
      }),
      label: stage.llm({
        task_label: "Choose the labels",
        prompt:
          "Choose the labels of the issue: its class, and `area: ` with the part of the software it is about. Answer with one line: `Labels: ` and the labels, separated by commas.",
        model_policy: { max_tokens: 100 },
        context_policy: { include_kinds: ["issue", "classification"] },
        retry_policy: PATIENT,
        output_contract: { output_kinds: ["labels"] },
        script: {
          replies: [{ when: { prompt_contains: ["class: bug", "export"] }, text: "Labels: bug, area: export" }],
          default: "Labels: {{match:class: (bug|question|other)}}",
        },
      }),
      join: join(),
      publish: reduce({
        input_contract: { input_kinds: ["answer", "summary", "labels"] },
        context_policy: { prioritize_kinds: ["answer"] },
        reduce_policy: { separator: "\n\n" },
        output_contract: { output_kinds: ["comment"] },
      }),
    },
    edges: [
      { from: "read_issue", to: "classify", branch: "success" },
      { from: "read_issue", to: "ask_a_person" },
      { from: "classify", to: "is_bug", branch: "success" },
      { from: "classify", to: "ask_a_person" },
      { from: "is_bug", to: "draft_bug", branch: "true" },
      { from: "is_bug", to: "is_question", branch: "false" },
      { from: "is_question", to: "draft_question", branch: "true" },
      { from: "is_question", to: "draft_other", branch: "false" },
      { from: "draft_bug", to: "draft_is_complete", branch: "success" },
      { from: "draft_question", to: "draft_is_complete", branch: "success" },
      { from: "draft_other", to: "draft_is_complete", branch: "success" },
      { from: "draft_bug", to: "ask_a_person" },
      { from: "draft_question", to: "ask_a_person" },
      { from: "draft_other", to: "ask_a_person" },
      { from: "draft_is_complete", to: "accept", branch: "true" },
      { from: "draft_is_complete", to: "revise", branch: "false" },
      { from: "revise", to: "revision_is_complete", branch: "success" },
      { from: "revise", to: "ask_a_person" },
      { from: "revision_is_complete", to: "accept", branch: "true" },
      { from: "revision_is_complete", to: "ask_a_person", branch: "false" },
      { from: "accept", to: "fan_out" },
      { from: "fan_out", to: "summarise" },
      { from: "fan_out", to: "label" },
      { from: "summarise", to: "join" },
      { from: "label", to: "join" },
      { from: "join", to: "publish" },
    ],
  },
  { functions },
);
