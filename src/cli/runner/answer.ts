import { byteLength, type JsonObject } from "../../lib/json.ts";
import type { Redaction } from "../redaction.ts";
import { outputText } from "./output.ts";
import type { ShellEnd } from "./shell.ts";

/** What a queue takes as a result, with some room for what is around it. */
const MAX_ANSWER_BYTES = 250_000;

/** How a command was to be executed, as far as its result says something about it. */
export interface AnswerLimits {
  readonly max_output_bytes: number;
  readonly timeout_ms: number;
  readonly secret: Redaction;
}

const noteOf = ({ timed_out, signal }: ShellEnd, { timeout_ms }: AnswerLimits): string => {
  if (timed_out) return `[the command was ended: it took longer than ${timeout_ms} ms]`;
  return signal === null ? "" : `[the command was ended by ${signal}]`;
};

const answerWithin = (end: ShellEnd, limits: AnswerLimits, bytes: number): JsonObject => {
  const { exit_code, signal, timed_out } = end;
  const stderr = [outputText(end.stderr, bytes, limits.secret), noteOf(end, limits)].filter((text) => text !== "");
  return {
    stdout: outputText(end.stdout, bytes, limits.secret),
    stderr: stderr.join("\n"),
    // A command that took too long has not succeeded, whatever it said when it was asked to end.
    exit_status: timed_out ? -1 : (exit_code ?? -1),
    success: exit_code === 0 && !timed_out,
    signal,
    timed_out,
    stdout_bytes: end.stdout.total,
    stderr_bytes: end.stderr.total,
  };
};

/** The result of a command's job (spec/workflow 7.1), made to fit: what is escaped in JSON is longer than it was. */
export const commandAnswer = (end: ShellEnd, limits: AnswerLimits): JsonObject => {
  for (let bytes = limits.max_output_bytes; ; bytes = Math.floor(bytes / 2)) {
    const answer = answerWithin(end, limits, bytes);
    if (bytes <= 1 || byteLength(JSON.stringify(answer)) <= MAX_ANSWER_BYTES) return answer;
  }
};
