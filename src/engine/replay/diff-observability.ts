import { byCodePoint, canonicalJson, type Json } from "../../lib/json.ts";
import type { RunObservability } from "../../schema/observability.ts";
import type { RunObservabilityDiff } from "../../schema/replay.ts";
import type { RunRecord } from "../../schema/record.ts";
import { deriveObservability } from "../observe/observability.ts";

type Entries = ReadonlyMap<string, Json>;

/** One section of two observability records, each entry under a key that means the same in both. */
interface Section {
  readonly name: string;
  readonly read: (record: RunObservability, keyOf: (id: string) => string) => Entries;
}

// Stage ids begin with the id of their run, so without cutting it off no two runs could ever be alike.
const withoutRunId =
  (run: RunRecord) =>
  (id: string): string =>
    run.id !== "" && id.startsWith(`${run.id}:`) ? id.slice(run.id.length + 1) : id;

const entriesOf = (pairs: readonly (readonly [string, Json])[]): Entries => new Map(pairs);

const SECTIONS: readonly Section[] = [
  {
    name: "worker_lineage",
    // A worker's id is new in every run; its name and parent stage are not.
    read: (record, keyOf) =>
      entriesOf(
        record.worker_lineage.map((worker, index) => [
          `${keyOf(worker.parent_stage_id ?? "")}/${worker.worker_name}#${index}`,
          { task: worker.task, status: worker.status },
        ]),
      ),
  },
  {
    name: "planner_rounds",
    read: (record, keyOf) =>
      entriesOf(record.planner_rounds.map(({ stage_id: id, ...round }) => [keyOf(id), round as unknown as Json])),
  },
  {
    name: "transcript_pointers",
    read: (record, keyOf) =>
      entriesOf(
        record.transcript_pointers.map((pointer) => [
          keyOf(pointer.id.replace(/^stage:/, "")),
          { kind: pointer.kind, location: pointer.location, available: pointer.available },
        ]),
      ),
  },
  {
    name: "compaction_events",
    read: (record, keyOf) =>
      entriesOf(
        record.compaction_events.map((event, index) => [
          `${keyOf(event.stage_id ?? "run")}#${index}`,
          {
            mode: event.mode,
            strategy: event.strategy,
            archived_messages: event.archived_messages,
            estimated_tokens_before: event.estimated_tokens_before,
            estimated_tokens_after: event.estimated_tokens_after,
          },
        ]),
      ),
  },
  {
    name: "daemon_events",
    read: (record) =>
      entriesOf(record.daemon_events.map((event, index) => [`${event.name}#${index}`, { kind: event.kind }])),
  },
  {
    name: "verification",
    read: (record, keyOf) =>
      entriesOf(
        record.verification_outcomes.map((outcome) => [
          keyOf(outcome.stage_id),
          { status: outcome.status, passed: outcome.passed, summary: outcome.summary },
        ]),
      ),
  },
];

const diffSection = (name: string, left: Entries, right: Entries): readonly RunObservabilityDiff[] => {
  const labels = [...new Set([...left.keys(), ...right.keys()])].toSorted(byCodePoint);
  return labels.flatMap((label) => {
    const [before, after] = [left.get(label), right.get(label)];
    if (after === undefined) return [{ section: name, label, details: [`${name} entry missing from right run`] }];
    if (before === undefined) return [{ section: name, label, details: [`${name} entry missing from left run`] }];
    const [was, is] = [canonicalJson(before), canonicalJson(after)];
    return was === is ? [] : [{ section: name, label, details: [`${was} -> ${is}`] }];
  });
};

const shapeOf = (record: RunObservability): string =>
  `${record.action_graph_nodes.length}/${record.action_graph_edges.length}`;

/** How the observability of two runs differs, section by section (spec/workflow 12.6). */
export const diffObservability = (left: RunRecord, right: RunRecord): readonly RunObservabilityDiff[] => {
  const before = left.observability ?? deriveObservability(left);
  const after = right.observability ?? deriveObservability(right);
  const diffs = SECTIONS.flatMap(({ name, read }) =>
    diffSection(name, read(before, withoutRunId(left)), read(after, withoutRunId(right))),
  );
  const [was, is] = [shapeOf(before), shapeOf(after)];
  if (was === is) return diffs;
  return [...diffs, { section: "action_graph", label: "shape", details: [`nodes/edges: ${was} -> ${is}`] }];
};
