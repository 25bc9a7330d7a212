import { selectAdaptive } from "../../engine/artifact/adaptive.ts";
import { deriveArtifact, estimateMessageTokens } from "../../engine/artifact/derive.ts";
import { constructArtifact, renderHandoff } from "../../engine/artifact/handoff-artifact.ts";
import { handoffValueIn, normalizeHandoff } from "../../engine/artifact/handoff.ts";
import { hasTarget, helperArtifact } from "../../engine/artifact/helper-artifact.ts";
import { microcompact } from "../../engine/artifact/microcompact.ts";
import { type ArtifactContext, normalizeArtifact } from "../../engine/artifact/normalize.ts";
import { renderArtifacts } from "../../engine/artifact/render.ts";
import { selectArtifacts } from "../../engine/artifact/select.ts";
import type { Json, JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { uuidIds } from "../../ports/ids.ts";
import { type BuildArtifact, buildArtifactSchema, builtArtifactSchema } from "../../schema/api-artifact.ts";
import { type ArtifactRecord, decodeArtifact, decodeArtifacts, type Handoff } from "../../schema/artifact.ts";
import type { HelperKind } from "../../schema/artifact-helper.ts";
import type { DecodeError } from "../../schema/decode.ts";
import { type ContextPolicy, decodeContextPolicy } from "../../schema/policy.ts";
import { decodeProblem } from "../graph-input.ts";
import { invalid, type Problem } from "../problem.ts";
import { done, type Router } from "../router.ts";

type Built = Result<unknown, Problem>;

const decoded = <Value>(field: string, result: Result<Value, DecodeError>): Result<Value, Problem> =>
  result.ok ? result : err(decodeProblem(field, result.error));

/** A refusal with a text of the specification. */
const refusal = (text: string): Result<never, Problem> => err(invalid([{ path: ".", message: text }], text));

const built = (result: Result<unknown, string>): Built => (result.ok ? result : refusal(result.error));

const isMissing = (value: Json | undefined): value is null | undefined => value === undefined || value === null;

/** The artifact in a field; null where it is missing, which is the operation's own refusal. */
const artifactIn = (
  field: string,
  value: Json | undefined,
  context: ArtifactContext,
): Result<ArtifactRecord | null, Problem> => {
  if (isMissing(value)) return ok(null);
  const artifact = decoded(field, decodeArtifact(value));
  return artifact.ok ? ok(normalizeArtifact(artifact.value, context)) : artifact;
};

const construct = ({ payload }: BuildArtifact, context: ArtifactContext): Built => {
  if (isMissing(payload)) return refusal("artifact: missing artifact payload");
  const artifact = decoded("payload", decodeArtifact(payload));
  return artifact.ok ? built(constructArtifact(artifact.value, payload, context)) : artifact;
};

const derive = ({ parent: given, kind = "artifact", text }: BuildArtifact, context: ArtifactContext): Built => {
  const parent = artifactIn("parent", given, context);
  if (!parent.ok) return parent;
  if (parent.value === null) return refusal("artifact_derive: missing parent");
  return ok(deriveArtifact(parent.value, { kind, text: typeof text === "string" ? text : undefined }, context));
};

type Select = (artifacts: readonly ArtifactRecord[], policy: ContextPolicy) => unknown;

const select = (body: BuildArtifact, context: ArtifactContext, choose: Select): Built => {
  const artifacts = decoded("artifacts", decodeArtifacts(body.artifacts));
  if (!artifacts.ok) return artifacts;
  const policy = decoded("policy", decodeContextPolicy(body.policy ?? {}, "context policy parse error"));
  if (!policy.ok) return policy;
  return ok(
    choose(
      artifacts.value.map((artifact) => normalizeArtifact(artifact, context)),
      policy.value,
    ),
  );
};

const handoffOf = (body: BuildArtifact, context: ArtifactContext): Result<Handoff, Problem> => {
  const { op, payload } = body;
  if (isMissing(payload)) return refusal(`${op}: missing payload`);
  const handoff = normalizeHandoff(handoffValueIn(payload) ?? payload, context);
  return handoff.ok ? handoff : refusal(handoff.error);
};

const help = (kind: HelperKind, body: BuildArtifact, context: ArtifactContext): Built => {
  const { op: _, options, target: given, ...args } = body;
  const target = hasTarget(kind) ? artifactIn("target", given, context) : ok(null);
  if (!target.ok) return target;
  return built(
    helperArtifact(kind, { args: args as JsonObject, options: options ?? null, target: target.value }, context),
  );
};

const build = (body: BuildArtifact, context: ArtifactContext): Built => {
  switch (body.op) {
    case "artifact":
      return construct(body, context);
    case "artifact_derive":
      return derive(body, context);
    case "artifact_select":
      return select(body, context, selectArtifacts);
    case "artifact_context":
      return select(body, context, (list, policy) => renderArtifacts(selectArtifacts(list, policy), policy));
    case "select_artifacts_adaptive":
      return select(body, context, selectAdaptive);
    case "estimate_tokens":
      return ok(estimateMessageTokens(Array.isArray(body.messages) ? body.messages : []));
    case "microcompact":
      return ok(microcompact(typeof body.text === "string" ? body.text : "", body.max));
    case "handoff":
      return handoffOf(body, context);
    case "handoff_context": {
      const handoff = handoffOf(body, context);
      return handoff.ok ? ok(renderHandoff(handoff.value)) : handoff;
    }
    default:
      return help(body.op, body, context);
  }
};

/** The constructors of artifacts and what selects among them: pure functions behind an address (spec/workflow 15.2). */
export const addArtifactRoutes = (router: Router): void =>
  router.add(
    {
      method: "post",
      path: "/v1/artifacts/build",
      operation: "build_artifact",
      tag: "Artifacts",
      summary: "Make, derive, select or render artifacts",
      description: "Nothing is stored: the artifacts are given to a run when it is prepared, or to another operation.",
      access: "runs:read",
      body: { name: "BuildArtifact", schema: buildArtifactSchema },
      reply: { status: 200, description: "What it came to", name: "BuiltArtifact", schema: builtArtifactSchema },
    },
    ({ body }) => {
      const result = build(body, { now: Date.now(), nextId: uuidIds });
      return result.ok ? done({ result: result.value as Json }) : result.error;
    },
  );
