import type * as z from "zod";
import type { Answer } from "../../engine/machine.ts";
import type { IdempotencyKey } from "../../../durable-objects/shell/idempotency.ts";
import type { SessionCommand, SessionOperation, SessionReply } from "../../engine/transcript/command.ts";
import type { SessionQuery, SessionsView } from "../../engine/transcript/read-sessions.ts";
import {
  compactSessionSchema,
  forkSessionAtSchema,
  forkSessionSchema,
  injectMessageSchema,
  openSessionSchema,
  sessionListSchema,
  sessionQuery,
  sessionReplySchema,
  sessionSnapshotSchema,
  trimSessionSchema,
} from "../../schema/api-session.ts";
import type { Call } from "../call.ts";
import { keyOf } from "../idempotency.ts";
import { fromRejection, problem } from "../problem.ts";
import { done, type Outcome, type Router } from "../router.ts";
import { runNotFound, runObject } from "../run-object.ts";

/** What these routes need of a run's object. */
interface SessionObject {
  readonly request: (command: SessionCommand, key?: IdempotencyKey) => Promise<Answer<SessionReply>>;
  readonly sessions: (query: SessionQuery) => Promise<SessionsView | null>;
}

type Reply = z.output<typeof sessionReplySchema>;

const objectOf = (call: Call, runId: string): SessionObject =>
  runObject(call.env, call.tenant, runId) as unknown as SessionObject;

const tell = async (call: Call, runId: string, operation: SessionOperation): Promise<Outcome<Reply>> => {
  const command: SessionCommand = { type: "session", ...operation };
  const answer = await objectOf(call, runId).request(command, keyOf(call, `session ${operation.op}`, operation));
  if (!answer.ok) return fromRejection(answer.rejection);
  const { type: _, ...reply } = answer.reply;
  return done(reply as Reply);
};

const tag = "Sessions";
const reply = { status: 200, description: "The session", name: "SessionReply", schema: sessionReplySchema };
const problems = ["run_not_found", "session_not_found", "invalid_transition", "idempotency_key_reused"] as const;
const common = { method: "post", tag, access: "runs:write", reply, problems } as const;

const addReads = (router: Router): void => {
  router.add(
    {
      method: "get",
      path: "/v1/runs/{run_id}/sessions",
      operation: "list_run_sessions",
      tag,
      summary: "List the sessions of a run",
      access: "runs:read",
      reply: { status: 200, description: "The sessions", name: "SessionList", schema: sessionListSchema },
      problems: ["run_not_found"],
    },
    async ({ params, call }) => {
      const view = await objectOf(call, params.run_id).sessions({ session_id: null, visibility: null });
      return view === null ? runNotFound(params.run_id) : done({ items: view.items });
    },
  );
  router.add(
    {
      method: "get",
      path: "/v1/runs/{run_id}/sessions/{session_id}",
      operation: "get_run_session",
      tag,
      summary: "Get the transcript of a session",
      access: "runs:read",
      query: sessionQuery,
      reply: { status: 200, description: "The transcript", name: "SessionSnapshot", schema: sessionSnapshotSchema },
      problems: ["run_not_found", "session_not_found"],
    },
    async ({ params, query, call }) => {
      const { run_id: runId, session_id: id } = params;
      const view = await objectOf(call, runId).sessions({ session_id: id, visibility: query.visibility });
      if (view === null) return runNotFound(runId);
      if (view.snapshot === null) return problem("session_not_found", `run ${runId} has no session ${id}`);
      return done(view.snapshot as z.output<typeof sessionSnapshotSchema>);
    },
  );
};

const addOpen = (router: Router): void =>
  router.add(
    {
      ...common,
      path: "/v1/runs/{run_id}/sessions",
      operation: "open_run_session",
      summary: "Open a session",
      description: "Opening one that exists changes nothing.",
      body: { name: "OpenSession", schema: openSessionSchema, optional: true },
    },
    ({ params, body, call }) =>
      tell(call, params.run_id, { op: "open", ...(body.session_id == null ? {} : { session_id: body.session_id }) }),
  );

const addResetAndClose = (router: Router): void => {
  const summaries = { reset: "Empty a session", close: "Forget a session" } as const;
  for (const op of ["reset", "close"] as const) {
    router.add(
      {
        ...common,
        path: `/v1/runs/{run_id}/sessions/{session_id}/${op}`,
        operation: `${op}_run_session`,
        summary: summaries[op],
      },
      ({ params, call }) => tell(call, params.run_id, { op, session_id: params.session_id }),
    );
  }
};

const addForks = (router: Router): void => {
  router.add(
    {
      ...common,
      path: "/v1/runs/{run_id}/sessions/{session_id}/fork",
      operation: "fork_run_session",
      summary: "Copy a session",
      body: { name: "ForkSession", schema: forkSessionSchema, optional: true },
    },
    ({ params, body, call }) =>
      tell(call, params.run_id, {
        op: "fork",
        session_id: params.session_id,
        ...(body.target_id === undefined ? {} : { target_id: body.target_id }),
      }),
  );
  router.add(
    {
      ...common,
      path: "/v1/runs/{run_id}/sessions/{session_id}/fork_at",
      operation: "fork_run_session_at",
      summary: "Copy the beginning of a session",
      body: { name: "ForkSessionAt", schema: forkSessionAtSchema },
    },
    ({ params, body, call }) =>
      tell(call, params.run_id, {
        op: "fork_at",
        session_id: params.session_id,
        keep_first: body.keep_first,
        ...(body.target_id === undefined ? {} : { target_id: body.target_id }),
      }),
  );
};

const addEdits = (router: Router): void => {
  router.add(
    {
      ...common,
      path: "/v1/runs/{run_id}/sessions/{session_id}/trim",
      operation: "trim_run_session",
      summary: "Keep only the last messages of a session",
      body: { name: "TrimSession", schema: trimSessionSchema },
    },
    ({ params, body, call }) =>
      tell(call, params.run_id, { op: "trim", session_id: params.session_id, keep_last: body.keep_last }),
  );
  router.add(
    {
      ...common,
      path: "/v1/runs/{run_id}/sessions/{session_id}/inject",
      operation: "inject_run_session",
      summary: "Add a message to a session",
      body: { name: "InjectMessage", schema: injectMessageSchema },
    },
    ({ params, body, call }) =>
      tell(call, params.run_id, { op: "inject", session_id: params.session_id, message: body.message ?? null }),
  );
};

const addCompact = (router: Router): void =>
  router.add(
    {
      ...common,
      path: "/v1/runs/{run_id}/sessions/{session_id}/compact",
      operation: "compact_run_session",
      summary: "Replace older messages by a summary",
      description:
        "A strategy that needs a model or a function answers with `ask` and changes nothing: send the request again with `answers` and `expected_length`.",
      body: { name: "CompactSession", schema: compactSessionSchema, optional: true },
    },
    ({ params, body, call }) => {
      const { options, answers, expected_length: expected } = body;
      return tell(call, params.run_id, {
        op: "compact",
        session_id: params.session_id,
        options,
        ...(answers === undefined ? {} : { answers }),
        ...(expected === undefined ? {} : { expected_length: expected }),
      });
    },
  );

/** The conversations of a run (spec/workflow 14.3). */
export const addSessionRoutes = (router: Router): void => {
  addReads(router);
  addOpen(router);
  addResetAndClose(router);
  addForks(router);
  addEdits(router);
  addCompact(router);
};
