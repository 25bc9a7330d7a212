import { isObject, type Json, type JsonObject } from "../../lib/json.ts";

// The command of a verify node as a job for a runner outside, and what comes back (spec/workflow 7.1, 20).

const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "");

/**
 * The result of a verify stage from what a runner answered: `{stdout, stderr, exit_status, success}`. The exit status is
 * -1 where none was told: a command that was killed never passes (spec/workflow 7.1).
 */
export const commandResult = (command: string, answer: Json): JsonObject => {
  const given = isObject(answer) ? answer : {};
  const [stdout, stderr] = [textOf(given["stdout"]), textOf(given["stderr"])];
  const text = [stdout, stderr].filter((part) => part !== "").join("\n");
  const told = given["exit_status"];
  const exit_status = typeof told === "number" && Number.isInteger(told) ? told : -1;
  const success = exit_status === 0;
  return { status: "completed", text, visible_text: text, command, stdout, stderr, exit_status, success };
};

/** The result of a verify stage whose command was not executed. */
export const commandFailure = (error: string): JsonObject => ({
  __workflow_stage_error: true,
  status: "failed",
  text: "",
  visible_text: "",
  error,
  error_category: "tool_error",
  retryable: false,
});
