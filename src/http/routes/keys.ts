import { pageQuery } from "../../schema/api.ts";
import {
  type ApiKey,
  createdKeySchema,
  keyPageSchema,
  newKeySchema,
  newTenantSchema,
  type Scope,
  tenantSchema,
} from "../../schema/api-key.ts";
import { uuidIds } from "../../ports/ids.ts";
import { type Call, nowText } from "../call.ts";
import { findKey, type KeyRow, keyInsert, listKeys, revokeKey } from "../key-rows.ts";
import { fromDatabase } from "../fault.ts";
import { idFor, writeOnce } from "../idempotency.ts";
import { CURSOR_ISSUE, decodeCursor, pageFrom } from "../page.ts";
import { invalid, problem } from "../problem.ts";
import { done, type Router } from "../router.ts";
import { derivedSecret, keyText, matchesHash, randomSecret, sha256 } from "../secret.ts";

const access = "admin";

const publicKey = ({ key_hash: _hash, ...row }: KeyRow): ApiKey => row;

/**
 * The secret of a new key. Its text is stored nowhere, so what a repeated request is answered with has to follow from the
 * idempotency key; only the holder of the root key could repeat that.
 */
const secretFor = (call: Call, keyId: string): Promise<string> | string =>
  call.idempotency_key === null ? randomSecret() : derivedSecret(call.env.GODWIT_ROOT_KEY ?? "", `api-key\n${keyId}`);

const createKey = async (call: Call, body: { readonly name: string | null; readonly scopes: readonly Scope[] }) => {
  const keyId = (idFor(call, "create_key") ?? uuidIds("")).replaceAll("-", "");
  const key = keyText(keyId, await secretFor(call, keyId));
  const row: KeyRow = {
    key_id: keyId,
    tenant: call.tenant,
    name: body.name,
    scopes: body.scopes,
    created_at: nowText(),
    revoked_at: null,
    key_hash: await sha256(key),
  };
  const reply = publicKey(row);
  const written = await writeOnce(call, "create_key", body, {
    statements: [keyInsert(call.env.DB, row)],
    status: 201,
    reply,
  });
  if (!written.ok) return written.error;
  if (call.idempotency_key !== null) {
    const stored = await findKey(call.env.DB, keyId);
    if (stored === null || !(await matchesHash(key, stored.key_hash)))
      return problem(
        "idempotency_key_reused",
        "the root key was changed since this key was made, so its text cannot be shown again",
      );
  }
  return done({ ...written.value.reply, key }, 201);
};

const addKeys = (router: Router): void => {
  const tag = "Keys";
  router.add(
    {
      method: "post",
      path: "/v1/keys",
      operation: "create_key",
      tag,
      summary: "Make an API key of the tenant",
      description: "The text of the key is in this answer only; the server keeps its SHA-256.",
      access,
      body: { name: "NewKey", schema: newKeySchema },
      reply: { status: 201, description: "The key", name: "CreatedKey", schema: createdKeySchema },
      problems: ["idempotency_key_reused"],
    },
    ({ body, call }) => createKey(call, body),
  );
  router.add(
    {
      method: "get",
      path: "/v1/keys",
      operation: "list_keys",
      tag,
      summary: "List the API keys of the tenant",
      access,
      query: pageQuery,
      reply: { status: 200, description: "A page", name: "KeyPage", schema: keyPageSchema },
    },
    async ({ query, call }) => {
      const after = query.cursor === undefined ? [""] : decodeCursor(query.cursor, 1);
      if (after === null) return invalid([CURSOR_ISSUE]);
      const rows = await listKeys(call.env.DB, call.tenant, { after: after[0] ?? "", limit: query.limit + 1 });
      return done(pageFrom(rows.map(publicKey), query.limit, (row) => [row.key_id]));
    },
  );
  router.add(
    {
      method: "delete",
      path: "/v1/keys/{key_id}",
      operation: "revoke_key",
      tag,
      summary: "Revoke an API key",
      access,
      reply: { status: 204, description: "Revoked; from now on the key is refused" },
      problems: ["key_not_found"],
    },
    async ({ params, call }) => {
      const found = await revokeKey(call.env.DB, call.tenant, params.key_id, nowText());
      return found ? done(undefined, 204) : problem("key_not_found", `there is no API key ${params.key_id}`);
    },
  );
};

const addTenants = (router: Router): void =>
  router.add(
    {
      method: "post",
      path: "/v1/tenants",
      operation: "create_tenant",
      tag: "Keys",
      summary: "Name a tenant",
      description:
        "With the root key only. Naming a tenant that is there already changes nothing. Act for a tenant with the header `Godwit-Tenant`.",
      access,
      body: { name: "NewTenant", schema: newTenantSchema },
      reply: { status: 201, description: "The tenant", name: "Tenant", schema: tenantSchema },
      problems: ["idempotency_key_reused"],
    },
    async ({ body, call }) => {
      if (!call.principal.is_root) return problem("forbidden", "only the root key may name tenants");
      const { DB } = call.env;
      const read = "SELECT tenant, name, created_at FROM tenants WHERE tenant = ?";
      const known = await fromDatabase(
        DB.prepare(read).bind(body.tenant).first<{ tenant: string; name: string | null; created_at: string }>(),
      );
      const reply = known ?? { ...body, created_at: nowText() };
      const insert = DB.prepare(
        "INSERT INTO tenants (tenant, name, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
      );
      const written = await writeOnce(call, "create_tenant", body, {
        statements: [insert.bind(reply.tenant, reply.name, reply.created_at)],
        status: known === null ? 201 : 200,
        reply,
      });
      return written.ok ? done(written.value.reply, written.value.status) : written.error;
    },
  );

/** API keys and tenants. */
export const addKeyRoutes = (router: Router): void => {
  addKeys(router);
  addTenants(router);
};
