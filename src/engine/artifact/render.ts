import { escapeMarkers } from "../../lib/body-marker.ts";
import { canonicalJson, type Json } from "../../lib/json.ts";
import { mapTexts } from "../../lib/texts.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { ContextPolicy } from "../../schema/policy.ts";

/** Escapes the three characters that could open or close a block of a prompt (spec/workflow 8.2). */
export const escapeMarkup = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** The heading of an artifact: its title, or its kind and id (spec/workflow 8.4). */
export const artifactTitle = (artifact: ArtifactRecord): string => artifact.title ?? `${artifact.kind} ${artifact.id}`;

/** JSON in which bodies will be put in place later: as they would have been written within its texts. */
const jsonText = (value: Json): string => canonicalJson(mapTexts(value, escapeMarkers));

/** The body of an artifact: its text, or its data as compact JSON with sorted keys, or nothing (spec/workflow 8.4). */
export const artifactBody = (artifact: ArtifactRecord): string =>
  artifact.text ?? (artifact.data === null ? "" : jsonText(artifact.data));

const asJson = (artifact: ArtifactRecord): string =>
  jsonText({
    id: artifact.id,
    kind: artifact.kind,
    title: artifactTitle(artifact),
    source: artifact.source,
    freshness: artifact.freshness,
    priority: artifact.priority,
    text: artifactBody(artifact),
  });

const asBlock = (artifact: ArtifactRecord): string =>
  [
    "<artifact>",
    `<title>${escapeMarkup(artifactTitle(artifact))}</title>`,
    `<kind>${escapeMarkup(artifact.kind)}</kind>`,
    `<source>${escapeMarkup(artifact.source ?? "unknown")}</source>`,
    `<freshness>${escapeMarkup(artifact.freshness ?? "normal")}</freshness>`,
    `<priority>${artifact.priority ?? 0}</priority>`,
    "<body>",
    artifactBody(artifact),
    "</body>",
    "</artifact>",
  ].join("\n");

/** The context text of artifacts, in the order given: tagged blocks, or JSON objects (spec/workflow 8.4). */
export const renderArtifacts = (artifacts: readonly ArtifactRecord[], policy: Pick<ContextPolicy, "render">): string =>
  artifacts.map(policy.render === "json" ? asJson : asBlock).join("\n\n");
