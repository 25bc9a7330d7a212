import { expect, test } from "vitest";
import { planOf, run } from "./plans.ts";

const prompt =
  "<workflow_task>\n<label>Task</label>\n<instructions>\n\nSort the mail\nand answer it\n</instructions>\n</workflow_task>";
const plan = planOf({ prompt, system: "Ü", llm_options: { provider: "scripted", model: "ignored" } });
const offline = async () => Promise.reject(new Error("the scripted provider must not call anyone"));

test("[W-8.2] without a script the reply names the first line of the task, with counted tokens and no cost", async () => {
  const result = await run(plan, { fetcher: offline });
  const text = "Scripted reply to: Sort the mail";
  expect(result).toEqual({
    status: "done",
    text,
    visible_text: text,
    provider: "scripted",
    model: "scripted",
    finish_reason: "stop",
    usage: {
      input_tokens: Math.ceil((2 + prompt.length) / 4),
      output_tokens: Math.ceil(text.length / 4),
      total_duration_ms: 0,
      call_count: 1,
      total_cost: 0,
      models: ["scripted"],
    },
  });
  expect(await run(plan, { fetcher: offline })).toEqual(result);
});

test("a plan's script wins over the script of the node's metadata", async () => {
  const metadata = { script: { replies: [{ text: "from metadata" }] } };
  expect((await run({ ...plan, metadata }))["text"]).toBe("from metadata");
  const both = await run({ ...plan, metadata, script: { replies: [{ text: "from the plan" }] } });
  expect(both["text"]).toBe("from the plan");
});

test("[W-0.3] a scripted error is a failed stage of its category", async () => {
  const script = {
    replies: [{ when: { attempt: 1 }, error: { category: "overloaded", message: "busy" } }],
    default: "ok",
  };
  expect(await run({ ...plan, script })).toMatchObject({ error: "Error [overloaded]: busy", retryable: true });
  expect((await run({ ...plan, script, attempt: 2 }))["text"]).toBe("ok");
});

test("[W-6.8] a scripted status is the result's status", async () => {
  const result = await run({ ...plan, script: { replies: [{ text: "", status: "stuck" }] } });
  expect(result["status"]).toBe("stuck");
});

test("a pattern that is no regular expression is a failed stage", async () => {
  const result = await run({ ...plan, script: { replies: [{ text: "{{match:(}}" }] } });
  expect(result["error"]).toMatch(/^Error \[generic\]: /);
});
