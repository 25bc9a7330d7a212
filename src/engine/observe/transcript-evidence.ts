import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { CompactionEvent, TranscriptPointer } from "../../schema/observability.ts";
import type { RunRecord, RunStageRecord } from "../../schema/record.ts";

/** A transcript inside a run record, and where it stands there. */
interface EmbeddedTranscript {
  readonly id: string;
  readonly label: string;
  readonly location: string;
  readonly transcript: JsonObject;
  readonly stage: RunStageRecord | null;
}

const embeddedTranscripts = (run: RunRecord): readonly EmbeddedTranscript[] => {
  const found: EmbeddedTranscript[] = [];
  for (const stage of run.stages) {
    if (!isObject(stage.transcript)) continue;
    found.push({
      id: `stage:${stage.id}:transcript`,
      label: `Stage ${stage.node_id} transcript`,
      location: `run.stages[${stage.node_id}].transcript`,
      transcript: stage.transcript,
      stage,
    });
  }
  if (isObject(run.transcript)) {
    found.push({
      id: "run:transcript",
      label: "Run transcript",
      location: "run.transcript",
      transcript: run.transcript,
      stage: null,
    });
  }
  return found;
};

/** Where each transcript of a run stands in its record (spec/workflow 12.2). */
export const deriveTranscriptPointers = (run: RunRecord): readonly TranscriptPointer[] =>
  embeddedTranscripts(run).map(({ id, label, location }) => ({
    id,
    label,
    kind: "embedded_transcript",
    location,
    path: null,
    available: true,
  }));

const textOrNull = (value: Json | undefined): string | null => (typeof value === "string" ? value : null);

const countOf = (value: Json | undefined): number => (typeof value === "number" ? value : 0);

const objectsIn = (value: Json | undefined): readonly JsonObject[] =>
  Array.isArray(value) ? (value as readonly Json[]).filter(isObject) : [];

const compactionEvent = (holder: EmbeddedTranscript, event: JsonObject, index: number): CompactionEvent => {
  const metadata = isObject(event["metadata"]) ? event["metadata"] : {};
  const asset = textOrNull(metadata["snapshot_asset_id"]);
  const assets = asset === null ? [] : objectsIn(holder.transcript["assets"]);
  return {
    id: textOrNull(event["id"]) ?? `${holder.id}:compaction:${index}`,
    transcript_id: textOrNull(holder.transcript["id"]),
    stage_id: holder.stage?.id ?? null,
    node_id: holder.stage?.node_id ?? null,
    mode: textOrNull(metadata["mode"]) ?? "",
    strategy: textOrNull(metadata["strategy"]) ?? "",
    archived_messages: countOf(metadata["archived_messages"]),
    estimated_tokens_before: countOf(metadata["estimated_tokens_before"]),
    estimated_tokens_after: countOf(metadata["estimated_tokens_after"]),
    snapshot_asset_id: asset,
    snapshot_location: asset === null ? holder.location : `${holder.location}.assets[${asset}]`,
    snapshot_path: null,
    available: assets.some((entry) => entry["id"] === asset),
  };
};

/**
 * Each shortening of a transcript of a run (spec/workflow 12.2).
 *
 * The run's own transcript is that of its last stage, so an event that a stage has already shown is not shown again.
 */
export const deriveCompactionEvents = (run: RunRecord): readonly CompactionEvent[] => {
  const events = new Map<string, CompactionEvent>();
  for (const holder of embeddedTranscripts(run)) {
    for (const [index, event] of objectsIn(holder.transcript["events"]).entries()) {
      if (event["kind"] !== "compaction") continue;
      const derived = compactionEvent(holder, event, index);
      if (!events.has(derived.id)) events.set(derived.id, derived);
    }
  }
  return [...events.values()];
};
