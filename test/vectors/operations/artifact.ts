import { selectAdaptive } from "../../../src/engine/artifact/adaptive.ts";
import { handoffToArtifact, normalizeHandoffArtifact } from "../../../src/engine/artifact/handoff-artifact.ts";
import { normalizeHandoff } from "../../../src/engine/artifact/handoff.ts";
import { microcompact } from "../../../src/engine/artifact/microcompact.ts";
import { normalizeArtifact } from "../../../src/engine/artifact/normalize.ts";
import { renderArtifacts } from "../../../src/engine/artifact/render.ts";
import { selectArtifacts } from "../../../src/engine/artifact/select.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { type ArtifactRecord, decodeArtifact, decodeArtifacts, type Handoff } from "../../../src/schema/artifact.ts";
import { type ContextPolicy, decodeContextPolicy } from "../../../src/schema/policy.ts";
import { type Operations, textArg, valueOf } from "../operation.ts";
import type { System } from "../system.ts";

/** The argument `artifacts`, made normal. */
export const artifactsArg = (system: System, args: JsonObject): readonly ArtifactRecord[] =>
  valueOf(decodeArtifacts(args["artifacts"])).map((artifact) => normalizeArtifact(artifact, system.clock.context));

const policyArg = (args: JsonObject): ContextPolicy =>
  valueOf(decodeContextPolicy(args["policy"] ?? {}, "artifact_select"));

const handoffArg = (system: System, args: JsonObject): Handoff =>
  valueOf(normalizeHandoff(args["handoff"] ?? null, system.clock.context));

/** Artifacts and handoffs (spec/workflow 1.14, 1.15, 8.4 and 9). */
export const artifactOperations: Operations = {
  normalize_artifact: (system, args) =>
    normalizeArtifact(valueOf(decodeArtifact(args["artifact"])), system.clock.context),
  select_artifacts: (system, args) =>
    selectArtifacts(artifactsArg(system, args), policyArg(args)).map((artifact) => artifact.id),
  select_artifacts_adaptive: (system, args) => selectAdaptive(artifactsArg(system, args), policyArg(args)),
  microcompact: (_system, args) => microcompact(textArg(args, "text"), Number(args["max_chars"])),
  render_artifacts: (system, args) => renderArtifacts(artifactsArg(system, args), policyArg(args)),
  normalize_handoff: handoffArg,
  handoff_to_artifact: (system, args) => handoffToArtifact(handoffArg(system, args), system.clock.context),
  normalize_handoff_artifact: (system, args) =>
    valueOf(
      normalizeHandoffArtifact(
        valueOf(decodeArtifact(args["artifact"])),
        args["artifact"] ?? null,
        system.clock.context,
      ),
    ),
};
