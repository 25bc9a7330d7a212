import { byCodePoint } from "../../lib/json.ts";
import { rfc3339 } from "../../lib/time.ts";
import type { RunHitlQuestionRecord, RunRecord } from "../../schema/record.ts";
import { syncRunHandoffs } from "../artifact/handoff-sync.ts";
import type { ArtifactContext } from "../artifact/normalize.ts";
import { replayFixture } from "../replay/fixture.ts";
import { recoverChildRuns } from "./child-runs.ts";
import { deriveObservability } from "./observability.ts";

/** What a record's surroundings know about it. */
export interface RecordSurroundings {
  /** Where the record is kept; null leaves what it says itself. */
  readonly persistedPath?: string | null;
  /** Questions the run asked people. */
  readonly hitlQuestions?: readonly RunHitlQuestionRecord[];
}

/** Fills the empty identity fields of a given record: tag, id, start, status and root run (spec/workflow 12.1). */
export const normalizeRunRecord = (run: RunRecord, context: ArtifactContext): RunRecord => {
  const id = run.id || context.nextId("run");
  return {
    ...run,
    _type: run._type || "run_record",
    id,
    started_at: run.started_at || rfc3339(context.now),
    status: run.status || "running",
    root_run_id: run.root_run_id ?? id,
  };
};

/** The questions of a record and of its log together: one per request, by time and then by request (spec/workflow 12.1). */
export const mergeQuestions = (
  recorded: readonly RunHitlQuestionRecord[],
  logged: readonly RunHitlQuestionRecord[],
): readonly RunHitlQuestionRecord[] => {
  if (logged.length === 0) return recorded;
  const questions = new Map(recorded.map((question) => [question.request_id, question]));
  for (const question of logged) {
    if (question.request_id !== "" && question.prompt !== "") questions.set(question.request_id, question);
  }
  return [...questions.values()].toSorted(
    (a, b) => byCodePoint(a.asked_at, b.asked_at) || byCodePoint(a.request_id, b.request_id),
  );
};

/**
 * A record as it is saved and loaded: complete in itself, with children, questions, handoffs, fixture and picture
 * (spec/workflow 12.1). Doing it again to its result changes nothing.
 */
export const enrichRunRecord = (
  given: RunRecord,
  context: ArtifactContext,
  surroundings: RecordSurroundings = {},
): RunRecord => {
  const named = normalizeRunRecord(given, context);
  const complete: RunRecord = {
    ...named,
    hitl_questions: mergeQuestions(named.hitl_questions, surroundings.hitlQuestions ?? []),
    child_runs: recoverChildRuns(named),
    replay_fixture: named.replay_fixture ?? replayFixture(named, context),
    persisted_path: surroundings.persistedPath ?? named.persisted_path,
  };
  const synced = syncRunHandoffs(complete, context);
  return { ...synced, observability: deriveObservability(synced) };
};
