import { filledBytes } from "../../lib/body-marker.ts";
import { isObject, type Json } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import { type ArtifactContext, normalizeArtifact } from "./normalize.ts";

/** A copy of an artifact as another kind, perhaps with another text; size and priority stay the parent's (spec/workflow 15.2). */
export const deriveArtifact = (
  parent: ArtifactRecord,
  as: { readonly kind: string; readonly text?: string | undefined },
  context: ArtifactContext,
): ArtifactRecord =>
  normalizeArtifact(
    {
      ...parent,
      id: `${parent.id}_derived`,
      kind: as.kind,
      text: as.text ?? parent.text,
      lineage: [...parent.lineage, parent.id],
    },
    context,
  );

/** Tokens of messages: a quarter of the bytes of their contents that are texts (spec/workflow 14.4). */
export const estimateMessageTokens = (messages: readonly Json[]): number => {
  let bytes = 0;
  for (const message of messages) {
    const content = isObject(message) ? message["content"] : undefined;
    if (typeof content === "string") bytes += filledBytes(content);
  }
  return Math.floor(bytes / 4);
};
