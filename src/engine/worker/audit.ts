import type { MutationSessionRecord } from "../../schema/record.ts";
import type { Context } from "../machine.ts";
import type { WorkerMode } from "./state.ts";

/** A mutation session of which not everything has to be said. */
export type GivenAudit = Partial<MutationSessionRecord>;

const EMPTY: MutationSessionRecord = {
  session_id: "",
  parent_session_id: null,
  run_id: null,
  worker_id: null,
  execution_kind: null,
  mutation_scope: "",
  approval_policy: null,
};

/** What a worker may change is said by its config, or else by the session that starts it (spec/workers 7). */
export const inheritedAudit = (given: GivenAudit, parent: MutationSessionRecord | null): MutationSessionRecord => ({
  ...EMPTY,
  ...given,
  parent_session_id: given.parent_session_id ?? (parent?.session_id || null),
  run_id: given.run_id ?? parent?.run_id ?? null,
  execution_kind: given.execution_kind ?? "worker",
  mutation_scope: given.mutation_scope || parent?.mutation_scope || "read_only",
  approval_policy: given.approval_policy ?? parent?.approval_policy ?? null,
});

/** A session with what may not be missing: an id and a scope (spec/workers 7). */
export const normalizedAudit = (given: GivenAudit, context: Pick<Context, "nextId">): MutationSessionRecord => ({
  ...EMPTY,
  ...given,
  session_id: given.session_id || context.nextId("session"),
  mutation_scope: given.mutation_scope || "read_only",
});

/** The session of a worker that is being made; that of a delegated stage does not name it (spec/workers 2, 14.2). */
export const workerAudit = (
  given: GivenAudit,
  worker: { readonly id: string; readonly mode: WorkerMode },
  context: Pick<Context, "nextId">,
): MutationSessionRecord => ({
  ...normalizedAudit(given, context),
  worker_id: worker.mode === "delegated_stage" ? null : worker.id,
  execution_kind: worker.mode,
});
