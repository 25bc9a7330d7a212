import { type Answer, reject } from "../machine.ts";
import type { AdvanceReply, RunReply } from "./command.ts";

// What a run answers, as whoever drives it, or tells it something, takes it.

/** The answer to a driver's step. */
export const advanceAnswer = (answer: Answer<RunReply>): Answer<AdvanceReply> => {
  if (!answer.ok) return answer;
  return answer.reply.type === "advance"
    ? { ok: true, reply: answer.reply.advance }
    : reject("internal_error", "no step");
};

/** What the holder of an attempt is answered to a step: to stop, where its run was suspended meanwhile. */
export const stepAnswer = (answer: Answer<RunReply>): Answer<null> => {
  if (!answer.ok) return answer;
  if (answer.reply.type === "step" && !answer.reply.goes_on)
    return reject(
      "stale_attempt",
      "the run is suspended: the step was recorded, and a later attempt goes on behind it",
    );
  return { ok: true, reply: null };
};

/** Whether a stage took a message. */
export const heardAnswer = (answer: Answer<RunReply>): Answer<{ readonly accepted: boolean }> =>
  answer.ok ? { ok: true, reply: { accepted: answer.reply.type === "heard" && answer.reply.accepted } } : answer;
