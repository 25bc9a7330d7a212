import { byteLength, canonicalJson, type Json } from "../../lib/json.ts";
import { pageQuery } from "../../schema/api.ts";
import { assetPageSchema, assetRowSchema, assetSchema, putAssetSchema } from "../../schema/api-asset.ts";
import { deleteAsset, findAsset, listAssets, type StoredAsset, storeAsset } from "../asset-rows.ts";
import { type Call, nowText } from "../call.ts";
import { CURSOR_ISSUE, decodeCursor, pageFrom } from "../page.ts";
import { invalid, problem, type Problem } from "../problem.ts";
import { done, type Router } from "../router.ts";
import { sha256 } from "../secret.ts";

const MAX_ASSET_BYTES = 262_144;

const notFound = (name: string): Problem => problem("asset_not_found", `there is no asset ${name}`);

const put = async (call: Call, name: string, content: Json) => {
  if (name !== name.trim()) return invalid([{ path: "name", message: "must not begin or end with a space" }]);
  const text = canonicalJson(content);
  const size = byteLength(text);
  if (size > MAX_ASSET_BYTES)
    return problem("payload_too_large", `an asset has at most ${MAX_ASSET_BYTES} bytes`, {
      max_bytes: MAX_ASSET_BYTES,
    });
  const row = { name, hash: await sha256(text), size, content: text, updated_at: nowText() };
  await storeAsset(call.env.DB, call.tenant, row);
  const stored = await findAsset(call.env.DB, call.tenant, name);
  return stored === null ? notFound(name) : done(rowOf(stored));
};

const rowOf = ({ content: _content, ...row }: StoredAsset) => row;

const shared = { tag: "Assets" } as const;

const addPutAndDelete = (router: Router): void => {
  router.add(
    {
      ...shared,
      method: "put",
      path: "/v1/assets/{name}",
      operation: "put_asset",
      summary: "Store a document under a name",
      description:
        "Such as a verification contract, which `verify.contract_path` of a node names. A run keeps the contents it was created with. A `/` within the name is written `%2F`.",
      access: "runs:write",
      body: { name: "PutAsset", schema: putAssetSchema },
      reply: { status: 200, description: "The asset", name: "AssetRow", schema: assetRowSchema },
      problems: ["payload_too_large"],
    },
    ({ params, body, call }) => put(call, params.name, (body.content ?? null) as Json),
  );
  router.add(
    {
      ...shared,
      method: "delete",
      path: "/v1/assets/{name}",
      operation: "delete_asset",
      summary: "Delete a document",
      access: "runs:write",
      reply: { status: 204, description: "The asset is deleted" },
      problems: ["asset_not_found"],
    },
    async ({ params, call }) =>
      (await deleteAsset(call.env.DB, call.tenant, params.name)) ? done(undefined, 204) : notFound(params.name),
  );
};

const addReads = (router: Router): void => {
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/assets",
      operation: "list_assets",
      summary: "List documents",
      access: "runs:read",
      query: pageQuery,
      reply: { status: 200, description: "A page", name: "AssetPage", schema: assetPageSchema },
    },
    async ({ query, call }) => {
      const after = query.cursor === undefined ? [""] : decodeCursor(query.cursor, 1);
      if (after === null) return invalid([CURSOR_ISSUE]);
      const rows = await listAssets(call.env.DB, call.tenant, { after: after[0] ?? "", limit: query.limit + 1 });
      return done(pageFrom(rows, query.limit, (row) => [row.name]));
    },
  );
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/assets/{name}",
      operation: "get_asset",
      summary: "Get a document",
      access: "runs:read",
      reply: { status: 200, description: "The asset", name: "Asset", schema: assetSchema },
      problems: ["asset_not_found"],
    },
    async ({ params, call }) => {
      const found = await findAsset(call.env.DB, call.tenant, params.name);
      return found === null
        ? notFound(params.name)
        : done({ ...rowOf(found), content: JSON.parse(found.content) as Json });
    },
  );
};

/** Assets: documents that workflows name (spec/workflow 7.2). */
export const addAssetRoutes = (router: Router): void => {
  addPutAndDelete(router);
  addReads(router);
};
