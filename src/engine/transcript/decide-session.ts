import { isObject, type Json } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { type Context, type Rejection, reject } from "../machine.ts";
import type { SessionCommand, SessionOperation, SessionReply } from "./command.ts";
import { compactManually } from "./compact-session.ts";
import { evolveSessions } from "./evolve-sessions.ts";
import { MAX_SESSIONS, type Session, type Sessions } from "./session.ts";
import type { SessionEvent } from "./session-event.ts";

/** What a session command leads to; the events have no stamp yet. */
export type SessionDecision = Result<
  { readonly events: readonly SessionEvent[]; readonly reply: SessionReply },
  Rejection
>;

const refuse = (code: string, detail: string): Result<never, Rejection> => err(reject(code, detail).rejection);

const isCount = (value: unknown): value is number => typeof value === "number" && Number.isInteger(value) && value >= 0;

/** Why no session can be opened under this id, or null. */
const placeProblem = (sessions: Sessions, id: string, operation: string): Rejection | null => {
  if (sessions.has(id))
    return reject("invalid_transition", `agent_session_${operation}: session id '${id}' exists already`).rejection;
  if (sessions.size < MAX_SESSIONS) return null;
  const detail = `agent_session_${operation}: the run has ${MAX_SESSIONS} open sessions; close one first`;
  return reject("invalid_transition", detail).rejection;
};

type Emitted = Result<readonly SessionEvent[], Rejection>;

interface Target {
  readonly sessions: Sessions;
  readonly session: Session;
  readonly context: Context;
}

const fork = (
  { sessions, session, context }: Target,
  command: Extract<SessionOperation, { readonly op: "fork" | "fork_at" }>,
): Emitted => {
  if (command.op === "fork_at" && !isCount(command.keep_first))
    return refuse("invalid_request", "agent_session_fork_at: `keep_first` must be >= 0");
  const id = command.target_id ?? context.nextId("");
  const problem = placeProblem(sessions, id, command.op);
  if (problem !== null) return err(problem);
  const keepFirst = command.op === "fork_at" ? command.keep_first : null;
  return ok([{ type: "session_forked", source_id: session.id, session_id: id, keep_first: keepFirst }]);
};

const inject = (session: Session, message: Json): Emitted => {
  if (!isObject(message)) return refuse("invalid_request", "agent_session_inject: message must be a dict");
  if (typeof message["role"] !== "string")
    return refuse(
      "invalid_request",
      "agent_session_inject: message must have a string `role` (user|assistant|tool_result|system)",
    );
  return ok([{ type: "session_messages_added", session_id: session.id, messages: [message] }]);
};

const trim = (session: Session, keepLast: number): Emitted =>
  isCount(keepLast)
    ? ok([{ type: "session_trimmed", session_id: session.id, keep_last: keepLast }])
    : refuse("invalid_request", "agent_session_trim: `keep_last` must be >= 0");

const answered = (sessions: Sessions, events: readonly SessionEvent[], id: string): SessionDecision => {
  const after = events.reduce(evolveSessions, sessions);
  return ok({ events, reply: { type: "session", session_id: id, length: after.get(id)?.messages.length ?? 0 } });
};

const open = (sessions: Sessions, given: string | undefined, context: Context): SessionDecision => {
  const id = given ?? context.nextId("");
  if (sessions.has(id)) return answered(sessions, [], id);
  const problem = placeProblem(sessions, id, "open");
  return problem === null ? answered(sessions, [{ type: "session_opened", session_id: id }], id) : err(problem);
};

const eventsOf = (target: Target, command: Exclude<SessionOperation, { readonly op: "open" | "compact" }>): Emitted => {
  const { session } = target;
  switch (command.op) {
    case "reset":
      return ok([{ type: "session_reset", session_id: session.id }]);
    case "fork":
    case "fork_at":
      return fork(target, command);
    case "trim":
      return trim(session, command.keep_last);
    case "inject":
      return inject(session, command.message);
    case "close":
      return ok([{ type: "session_closed", session_id: session.id }]);
  }
};

/** The refusal for a session that is not there (spec/workflow 14.3). */
export const unknownSession = (operation: string, id: string): Rejection =>
  reject("session_not_found", `agent_session_${operation}: unknown session id '${id}'`).rejection;

/**
 * Decides a session command with the semantics and error texts of spec/workflow 14.3. Opening is idempotent; a fork never
 * replaces a session that exists; nothing is evicted, so that a run has a bounded number of open sessions.
 */
export const decideSession = (sessions: Sessions, command: SessionCommand, context: Context): SessionDecision => {
  if (command.op === "open") return open(sessions, command.session_id, context);
  const session = sessions.get(command.session_id);
  if (session === undefined) return err(unknownSession(command.op, command.session_id));
  if (command.op === "compact") {
    const compacted = compactManually(session, command, context);
    if (!compacted.ok) return compacted;
    const { events, ask } = compacted.value;
    const answer = answered(sessions, events, session.id);
    if (!answer.ok || ask === null) return answer;
    return ok({ events, reply: { ...answer.value.reply, ask } });
  }
  const events = eventsOf({ sessions, session, context }, command);
  if (!events.ok) return events;
  const [first] = events.value;
  return answered(sessions, events.value, first === undefined ? session.id : first.session_id);
};

/** The number of messages of a session (spec/workflow 14.3, `agent_session_length`). */
export const sessionLength = (sessions: Sessions, id: string): Result<number, string> => {
  const session = sessions.get(id);
  return session === undefined ? err(unknownSession("length", id).detail) : ok(session.messages.length);
};
