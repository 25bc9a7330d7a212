import type { Json } from "../../lib/json.ts";
import { byCodePoint } from "../../lib/json.ts";
import type { ArtifactRecord, Handoff, ReceiptLink } from "../../schema/artifact.ts";
import type { RunRecord } from "../../schema/record.ts";
import { handoffToArtifact } from "./handoff-artifact.ts";
import { handoffValueIn, mergeHandoffs, normalizeHandoff } from "./handoff.ts";
import type { ArtifactContext } from "./normalize.ts";

/** What of a run takes part when its handoffs are synchronised. */
export type HandoffRun = Pick<
  RunRecord,
  "id" | "workflow_id" | "workflow_name" | "persisted_path" | "handoffs" | "artifacts"
>;

const withReceipt = (handoff: Handoff, run: HandoffRun): Handoff => {
  const isReceipt = (link: ReceiptLink): boolean => link.kind === "run_receipt" && link.run_id === run.id;
  const label = run.workflow_name ?? run.workflow_id;
  const known = handoff.receipt_links.find(isReceipt);
  const receipt: ReceiptLink = {
    kind: "run_receipt",
    label: known?.label ?? label,
    run_id: run.id,
    artifact_id: known?.artifact_id ?? null,
    // A run that was moved has its receipt where it is now.
    path: run.persisted_path ?? known?.path ?? null,
    href: known?.href ?? null,
  };
  const links =
    known === undefined
      ? [...handoff.receipt_links, receipt]
      : handoff.receipt_links.map((link) => (link === known ? receipt : link));
  return { ...handoff, parent_run_id: handoff.parent_run_id ?? run.id, receipt_links: links };
};

interface Collected {
  readonly handoffs: readonly Handoff[];
  /** Which handoff an artifact carries, by the artifact's place. */
  readonly carriers: ReadonlyMap<number, string>;
}

const collect = (run: HandoffRun, context: ArtifactContext): Collected => {
  const handoffs: Handoff[] = [];
  for (const stored of run.handoffs) {
    const handoff = normalizeHandoff({ ...stored } as unknown as Json, context);
    if (handoff.ok) handoffs.push(handoff.value);
  }
  const given = new Set(handoffs.map((handoff) => handoff.id));
  const carriers = new Map<number, string>();
  for (const [index, artifact] of run.artifacts.entries()) {
    if (artifact.kind !== "handoff") continue;
    const value = handoffValueIn({ kind: artifact.kind, data: artifact.data });
    const handoff = value === null ? null : normalizeHandoff(value, context);
    const named = artifact.metadata["handoff_id"];
    if (handoff?.ok) {
      handoffs.push(handoff.value);
      carriers.set(index, handoff.value.id);
    } else if (typeof named === "string" && given.has(named)) carriers.set(index, named);
  }
  return { handoffs, carriers };
};

const project = (
  run: HandoffRun,
  handoffs: readonly Handoff[],
  carriers: ReadonlyMap<number, string>,
  context: ArtifactContext,
): readonly ArtifactRecord[] => {
  const missing = new Map(handoffs.map((handoff) => [handoff.id, handoff]));
  const artifacts: ArtifactRecord[] = [];
  for (const [index, artifact] of run.artifacts.entries()) {
    const id = carriers.get(index);
    const handoff = id === undefined ? undefined : missing.get(id);
    if (id === undefined) artifacts.push(artifact);
    // A second artifact of the same handoff is left out: its content was merged into the first.
    if (id === undefined || handoff === undefined) continue;
    artifacts.push(handoffToArtifact(handoff, context, artifact));
    missing.delete(id);
  }
  for (const handoff of missing.values()) artifacts.push(handoffToArtifact(handoff, context));
  return artifacts;
};

/**
 * Brings a run's handoffs and their artifacts together: one handoff per id, each with its parent run and a receipt
 * that points back at the run, and exactly one artifact for each (spec/workflow 1.15).
 *
 * Doing it again changes nothing. A handoff that is incomplete is dropped; its artifact stays.
 */
export const syncRunHandoffs = <Run extends HandoffRun>(run: Run, context: ArtifactContext): Run => {
  if (run.handoffs.length === 0 && !run.artifacts.some((artifact) => artifact.kind === "handoff")) return run;
  const { handoffs: collected, carriers } = collect(run, context);
  const handoffs = mergeHandoffs(collected)
    .toSorted((a, b) => byCodePoint(a.created_at, b.created_at))
    .map((handoff) => withReceipt(handoff, run));
  return { ...run, handoffs, artifacts: project(run, handoffs, carriers, context) };
};
