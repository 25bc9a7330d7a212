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

/**
 * The part of an id that means the same in two runs. Stage ids begin with the id of their run and end with the position
 * at which the stage was prepared, which is by chance where stages run side by side: it gives way to a count by node.
 */
const comparableIn = (run: RunRecord): ((id: string) => string) => {
  const counts = new Map<string, number>();
  const names = new Map<string, string>();
  for (const { id, node_id: node } of run.stages) {
    const count = (counts.get(node) ?? 0) + 1;
    counts.set(node, count);
    if (run.id !== "" && id.startsWith(`${run.id}:${node}:`)) names.set(id, `${node}:${count}`);
  }
  return (id) => {
    if (run.id === "" || !id.startsWith(`${run.id}:`)) return id;
    const end = id.endsWith(TRANSCRIPT) ? -TRANSCRIPT.length : undefined;
    const name = names.get(id.slice(0, end));
    return name === undefined ? id.slice(run.id.length + 1) : name + (end === undefined ? "" : TRANSCRIPT);
  };
};

/** What the id of a transcript adds to that of its stage. */
const TRANSCRIPT = ":transcript";

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
  const names = [comparableIn(left), comparableIn(right)] as const;
  const diffs = SECTIONS.flatMap(({ name, read }) => diffSection(name, read(before, names[0]), read(after, names[1])));
  const [was, is] = [shapeOf(before), shapeOf(after)];
  if (was === is) return diffs;
  return [...diffs, { section: "action_graph", label: "shape", details: [`nodes/edges: ${was} -> ${is}`] }];
};
