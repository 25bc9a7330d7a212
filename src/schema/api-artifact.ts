import * as z from "zod";
import { HELPER_OPS } from "./artifact-helper.ts";
import { anyJson } from "./api.ts";

/** What can be asked of artifacts without a run (spec/workflow 15.2). */
export const ARTIFACT_OPS = [
  "artifact",
  "artifact_derive",
  "artifact_select",
  "artifact_context",
  "select_artifacts_adaptive",
  "estimate_tokens",
  "microcompact",
  "handoff",
  "handoff_context",
  ...HELPER_OPS,
] as const;

/** The name of an operation on artifacts. */
export type ArtifactOp = (typeof ARTIFACT_OPS)[number];

const argument = anyJson.optional();

/** Body of `POST /v1/artifacts/build`; which of the further fields count depends on `op`. */
export const buildArtifactSchema = z
  .object({
    op: z.enum(ARTIFACT_OPS),
    payload: argument.describe("artifact, handoff, handoff_context"),
    parent: argument.describe("artifact_derive: an artifact"),
    kind: z.string().optional().describe("artifact_derive: `artifact` without it"),
    artifacts: argument.describe("artifact_select, artifact_context, select_artifacts_adaptive: a list"),
    policy: argument.describe("The same: a context policy"),
    messages: argument.describe("estimate_tokens: a list"),
    max: z.int().min(0).optional().describe("microcompact: characters, 20000 without it"),
    path: argument.describe("workspace_file, editor_selection, diff"),
    content: argument.describe("workspace_file"),
    paths: argument.describe("workspace_snapshot"),
    summary: argument.describe("workspace_snapshot, diff_review"),
    title: argument.describe("verification_result, test_result, verification_bundle"),
    text: argument.describe("editor_selection, verification_result, test_result, artifact_derive, microcompact"),
    command: argument.describe("command_result"),
    output: argument.describe("command_result"),
    before: argument.describe("diff"),
    after: argument.describe("diff"),
    diff_text: argument.describe("git_diff"),
    target: argument.describe("diff_review, review_decision, patch_proposal, apply_intent: an artifact"),
    decision: argument.describe("review_decision"),
    patch: argument.describe("patch_proposal"),
    intent: argument.describe("apply_intent"),
    checks: argument.describe("verification_bundle"),
    options: argument.describe("Of the helpers: fields of the artifact that are laid over it"),
  })
  .readonly();

/** Body of `POST /v1/artifacts/build`. */
export type BuildArtifact = z.output<typeof buildArtifactSchema>;

/** What an operation on artifacts came to: an artifact, a list, a text or a number. */
export const builtArtifactSchema = z.object({ result: anyJson }).readonly();
