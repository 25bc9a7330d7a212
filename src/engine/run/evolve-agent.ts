import { AppendList } from "../../lib/append.ts";
import { placeAfterCompaction } from "../transcript/compaction.ts";
import { evolveSessions } from "../transcript/evolve-sessions.ts";
import { emptySession, sessionIn, type Sessions } from "../transcript/session.ts";
import { appendMessages } from "../transcript/stage-messages.ts";
import type { AgentStepRecorded, BranchPrepared, CallAnswered, StageParked, StagePrepared } from "./event.ts";
import { openById, withOpen } from "./open.ts";
import { type LoopProgress, NO_USAGE, type PreparedStage, type Run } from "./state.ts";
import { addUsage } from "./usage.ts";

/** True for a stage that may record steps: an agent, or a model call in a conversation that it shares. */
const recordsSteps = (sessions: Sessions, { mode, work, session_id: id }: StagePrepared | BranchPrepared): boolean =>
  work.type === "model" && (mode === "agent" || (mode === "llm" && sessionIn(sessions, id) !== undefined));

/** What a stage that begins has recorded: nothing yet. */
export const newLoop = (sessions: Sessions, event: StagePrepared | BranchPrepared): LoopProgress | null =>
  !recordsSteps(sessions, event)
    ? null
    : {
        steps: 0,
        iterations: 0,
        tool_calls: AppendList.empty,
        usage: NO_USAGE,
        messages_from: sessions.get(event.session_id ?? "")?.messages.length ?? 0,
        pending: [],
        approvals: {},
      };

/** The sessions of a run with the one that a unit has for itself. */
export const withOwnSession = (sessions: Sessions, event: StagePrepared | BranchPrepared): Sessions =>
  event.own_session === true && event.session_id !== undefined
    ? sessions.set(event.session_id, emptySession(event.session_id))
    : sessions;

const compacted = (run: Run, unit: PreparedStage, event: AgentStepRecorded): Run => {
  const { compaction } = event;
  if (compaction === undefined || unit.session_id === null) return run;
  return {
    ...run,
    sessions: evolveSessions(run.sessions, { type: "session_compacted", session_id: unit.session_id, ...compaction }),
  };
};

/** The run with a step of one of its agent loops. */
export const stepRecorded = (run: Run, event: AgentStepRecorded): Run => {
  const unit = openById(run, event.stage_id);
  if (unit === undefined) return run;
  const before = compacted(run, unit, event);
  const sessions = appendMessages(before.sessions, unit.session_id, event.messages ?? []);
  const changed = withOpen({ ...before, sessions }, unit.stage_id, (open) => {
    if (open.loop === null) return open;
    const { loop } = open;
    return {
      ...open,
      loop: {
        ...loop,
        steps: loop.steps + 1,
        iterations: Math.max(loop.iterations, event.iteration),
        tool_calls: event.tool_call === undefined ? loop.tool_calls : loop.tool_calls.append([event.tool_call]),
        usage: addUsage(loop.usage, event.usage ?? null),
        messages_from:
          event.compaction === undefined
            ? loop.messages_from
            : placeAfterCompaction(loop.messages_from, event.compaction),
      },
    };
  });
  return changed;
};

/** The run with a loop that waits for answers; nobody holds it. */
export const stageParked = (run: Run, event: StageParked): Run => {
  const unit = openById(run, event.stage_id);
  if (unit === undefined) return run;
  return withOpen({ ...run, parked: run.parked.add(unit.attempt_token, event.handed_in) }, event.stage_id, (open) => ({
    ...open,
    holder: "nobody",
    ended_attempts: [...open.ended_attempts, event.record],
    loop: open.loop === null ? null : { ...open.loop, pending: event.pending },
  }));
};

/** The run with one of the calls answered that a loop waits for; with the last of them a driver can go on. */
export const callAnswered = (run: Run, event: CallAnswered): Run => {
  const unit = openById(run, event.stage_id);
  if (unit === undefined || unit.loop === null) return run;
  const { loop } = unit;
  const holder = run.drive === "auto" ? "driver" : "caller";
  const pending = loop.pending.filter((call) => call.call_id !== event.call_id);
  const messages = event.message === undefined ? [] : [event.message];
  return withOpen(
    { ...run, sessions: appendMessages(run.sessions, unit.session_id, messages) },
    unit.stage_id,
    (open) => ({
      ...open,
      ...(pending.length === 0 ? { holder, retry_at_ms: Date.parse(event.at) } : {}),
      loop: {
        ...loop,
        pending,
        usage: addUsage(loop.usage, event.usage ?? null),
        tool_calls: event.tool_call === undefined ? loop.tool_calls : loop.tool_calls.append([event.tool_call]),
        approvals:
          event.approval === undefined ? loop.approvals : { ...loop.approvals, [event.call_id]: event.approval },
      },
    }),
  );
};
