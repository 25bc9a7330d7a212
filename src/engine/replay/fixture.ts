import { unixSeconds } from "../../lib/time.ts";
import type { ReplayFixture, ReplayStageAssertion } from "../../schema/replay.ts";
import type { RunRecord, RunStageRecord } from "../../schema/record.ts";
import type { ArtifactContext } from "../artifact/normalize.ts";

const SNIPPET_CHARACTERS = 80;

const snippetOf = (text: string | null): string | null => {
  if (text === null || text === "") return null;
  // A character takes two code units at most, so no more of the text needs to be looked at.
  const start = text.slice(0, 2 * SNIPPET_CHARACTERS);
  return Array.from(start).slice(0, SNIPPET_CHARACTERS).join("");
};

const assertionOf = (stage: RunStageRecord): ReplayStageAssertion => ({
  node_id: stage.node_id,
  expected_status: stage.status,
  expected_outcome: stage.outcome,
  expected_branch: stage.branch,
  required_artifact_kinds: stage.artifacts.map((artifact) => artifact.kind),
  visible_text_contains: snippetOf(stage.visible_text),
});

/** What of a run its fixture is made of. */
export type FixtureSource = Pick<RunRecord, "id" | "workflow_id" | "workflow_name" | "status" | "stages">;

/** The fixture a run itself keeps to: its status and one assertion for each of its stages (spec/workflow 12.3). */
export const replayFixture = (run: FixtureSource, context: ArtifactContext): ReplayFixture => ({
  _type: "replay_fixture",
  id: context.nextId("fixture"),
  source_run_id: run.id,
  workflow_id: run.workflow_id,
  workflow_name: run.workflow_name,
  created_at: unixSeconds(context.now),
  eval_kind: "replay",
  clarifying_question: null,
  expected_status: run.status,
  stage_assertions: run.stages.map(assertionOf),
});
