import type { PlannerRound, RunObservability } from "../../schema/observability.ts";
import type { RunRecord } from "../../schema/record.ts";
import { deriveActionGraph, deriveWorkerLineage } from "./action-graph.ts";
import { derivePlannerRound } from "./planner-rounds.ts";
import { deriveCompactionEvents, deriveTranscriptPointers } from "./transcript-evidence.ts";
import { deriveVerificationOutcomes } from "./verification-outcomes.ts";

const SCHEMA_VERSION = 4;

/** What a run looked like, derived from its record and nothing else (spec/workflow 12.2). */
export const deriveObservability = (run: RunRecord): RunObservability => {
  const rounds: PlannerRound[] = [];
  for (const stage of run.stages) {
    const round = derivePlannerRound(stage);
    if (round !== null) rounds.push(round);
  }
  const graph = deriveActionGraph(run);
  return {
    schema_version: SCHEMA_VERSION,
    planner_rounds: rounds,
    research_fact_count: rounds.reduce((count, round) => count + round.research_facts.length, 0),
    action_graph_nodes: graph.nodes,
    action_graph_edges: graph.edges,
    worker_lineage: deriveWorkerLineage(run),
    verification_outcomes: deriveVerificationOutcomes(run),
    transcript_pointers: deriveTranscriptPointers(run),
    compaction_events: deriveCompactionEvents(run),
    daemon_events: [],
  };
};
