import type { Json } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import { type ArtifactContext, normalizeArtifact } from "./normalize.ts";

/** A value a node produced, and where it came from. */
export interface ProducedValue {
  readonly node: string;
  readonly kind: string;
  readonly index: number;
  readonly value: Json;
  /** The body; without it a value that is a text. */
  readonly text?: string;
  readonly lineage: readonly string[];
  readonly title: string;
}

/** The artifact that carries a produced value; a text value is also its body (spec/workflow 6.5). */
export const artifactFromValue = (produced: ProducedValue, context: ArtifactContext): ArtifactRecord =>
  normalizeArtifact(
    {
      id: context.nextId(`${produced.node}_artifact`),
      kind: produced.kind,
      title: produced.title,
      text: produced.text ?? (typeof produced.value === "string" ? produced.value : null),
      data: produced.value,
      source: produced.node,
      stage: produced.node,
      freshness: "fresh",
      relevance: 1,
      lineage: produced.lineage,
      metadata: { index: produced.index },
    },
    context,
  );
