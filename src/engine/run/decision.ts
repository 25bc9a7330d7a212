import type { Decision, Rejection } from "../machine.ts";
import { controlOf, type RunEffect, type RunReply } from "./command.ts";
import type { Draft } from "./draft.ts";
import type { RunEvent } from "./event.ts";
import { failRun } from "./finish.ts";
import type { Raised } from "./prepare-stage.ts";
import type { RunState } from "./state.ts";

/** A decision of the run machine. */
export type RunDecision = Decision<RunEvent, RunEffect, RunReply, RunState>;

/** What a draft has come to, with this reply. */
export const decided = (draft: Draft, reply: RunReply): RunDecision => {
  draft.reportRest();
  return { ok: true, events: draft.events, effects: draft.effects, reply, state: draft.run };
};

/** What a draft has come to, answered with where the run stands. */
export const controlReply = (draft: Draft): RunDecision =>
  decided(draft, { type: "control", control: controlOf(draft.run) });

/** A refusal. */
export const refused = (rejection: Rejection): RunDecision => ({ ok: false, rejection });

/** The error is stored with the run and answered: the events count although the operation failed. */
export const raisedReply = (draft: Draft, raised: Raised): RunDecision => {
  failRun(draft, raised);
  return decided(draft, { type: "raised", code: raised.code, detail: raised.detail });
};
