import { manifestSchema, manifestSummarySchema, manifestViewSchema } from "../../schema/trigger-manifest.ts";
import { putManifest } from "../manifest-put.ts";
import { done, type Router } from "../router.ts";
import { listManifestTriggers } from "../trigger-rows.ts";

const shared = { tag: "Triggers", access: "triggers", path: "/v1/manifest" } as const;

/** Manifests: many triggers put as one (spec/triggers 5.6, 6.2). */
export const addManifestRoutes = (router: Router): void => {
  router.add(
    {
      ...shared,
      method: "put",
      operation: "put_manifest",
      summary: "Define many triggers at once",
      description:
        "Everything is checked before anything is changed. Triggers that an earlier manifest put and this one does not " +
        "name are deleted; triggers that were put by themselves stay as they are. When some could not be changed, the " +
        "answer says which were, and the same request can be repeated.",
      body: { name: "Manifest", schema: manifestSchema },
      reply: { status: 200, description: "What changed", name: "ManifestSummary", schema: manifestSummarySchema },
    },
    ({ body, call }) => putManifest(call, body),
  );
  router.add(
    {
      ...shared,
      method: "get",
      operation: "get_manifest",
      summary: "List the triggers that a manifest put",
      reply: { status: 200, description: "The triggers", name: "ManifestView", schema: manifestViewSchema },
    },
    async ({ call }) => {
      const rows = await listManifestTriggers(call.env.DB, call.tenant);
      return done({ triggers: rows.map(({ trigger_id: id, definition }) => ({ id, ...definition })) });
    },
  );
};
