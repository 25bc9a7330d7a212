import { artifactBody } from "../../engine/artifact/render.ts";
import { soleMarker } from "../../lib/body-marker.ts";
import { artifactSchema, type ArtifactRecord } from "../../schema/artifact.ts";
import { bodyResponse, BODIES_BYTES, shown } from "../bodies.ts";
import type { Call } from "../call.ts";
import { problem, type Problem } from "../problem.ts";
import { done, type Router } from "../router.ts";
import { runNotFound, runObject } from "../run-object.ts";

const access = "runs:read";
const tag = "Runs";
const problems = ["run_not_found", "artifact_not_found"] as const;

const find = async (call: Call, runId: string, id: string): Promise<ArtifactRecord | Problem> => {
  const found = await runObject(call.env, call.tenant, runId).artifact(id);
  if (found === null) return runNotFound(runId);
  return found.artifact ?? problem("artifact_not_found", `run ${runId} has no artifact ${id}`);
};

const textOf = async (call: Call, artifact: ArtifactRecord): Promise<Response> => {
  const body = artifactBody(artifact);
  const marker = soleMarker(body);
  const isWhole = marker !== null && marker.from === 0 && marker.to === marker.chars && marker.escapes === 0;
  const stored = isWhole ? await bodyResponse(call, marker) : null;
  if (stored !== null) return stored;
  return new Response(await shown(call, body, BODIES_BYTES), {
    headers: { "Content-Type": "text/plain;charset=utf-8" },
  });
};

/** One artifact of a run, and its text by itself. */
export const addRunArtifactRoutes = (router: Router): void => {
  router.add(
    {
      method: "get",
      path: "/v1/runs/{run_id}/artifacts/{artifact_id}",
      operation: "get_run_artifact",
      tag,
      summary: "Get an artifact of a run, with its long texts",
      access,
      reply: { status: 200, description: "The artifact", name: "Artifact", schema: artifactSchema },
      problems,
    },
    async ({ params, call }) => {
      const artifact = await find(call, params.run_id, params.artifact_id);
      return "code" in artifact ? artifact : done(await shown(call, artifact, BODIES_BYTES));
    },
  );
  router.add(
    {
      method: "get",
      path: "/v1/runs/{run_id}/artifacts/{artifact_id}/body",
      operation: "get_run_artifact_body",
      tag,
      summary: "Get the text of an artifact as plain text",
      description: "The body that stages read (spec/workflow 8.4): the text, or the data as JSON.",
      access,
      reply: { status: 200, description: "The text" },
      problems,
    },
    async ({ params, call }) => {
      const artifact = await find(call, params.run_id, params.artifact_id);
      return "code" in artifact ? artifact : textOf(call, artifact);
    },
  );
};
