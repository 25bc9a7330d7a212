import { err, ok, type Result } from "../lib/result.ts";
import { type Scope, SCOPES, tenantIdSchema } from "../schema/api-key.ts";
import type { Bindings, Call, Principal } from "./call.ts";
import { findKey } from "./key-rows.ts";
import { invalid, problem, type Problem } from "./problem.ts";
import { keyIdOf, matchesHash, sameSecret } from "./secret.ts";

const DEFAULT_TENANT = "default";

const NOBODY: Principal = { tenant: DEFAULT_TENANT, scopes: [], is_root: false };

const unauthorized = (detail: string): Result<never, Problem> =>
  err({ ...problem("unauthorized", detail), headers: { "WWW-Authenticate": "Bearer" } });

const bearer = (request: Request): string | null =>
  /^Bearer +(\S{1,500})$/i.exec(request.headers.get("Authorization") ?? "")?.[1] ?? null;

const principalOf = async (request: Request, env: Bindings): Promise<Result<Principal, Problem>> => {
  const root = env.GODWIT_ROOT_KEY;
  if (root === undefined || root === "")
    return err(problem("unavailable", "the server has no root key: set the secret GODWIT_ROOT_KEY and start it again"));
  const key = bearer(request);
  if (key === null) return unauthorized("send an API key as `Authorization: Bearer <key>`");
  if (await sameSecret(key, root)) return rootPrincipal(request);
  const keyId = keyIdOf(key);
  const row = keyId === null ? null : await findKey(env.DB, keyId);
  if (row === null || row.revoked_at !== null || !(await matchesHash(key, row.key_hash)))
    return unauthorized("the API key is unknown or was revoked");
  return ok({ tenant: row.tenant, scopes: row.scopes, is_root: false });
};

const rootPrincipal = (request: Request): Result<Principal, Problem> => {
  const tenant = tenantIdSchema.safeParse(request.headers.get("Godwit-Tenant") ?? DEFAULT_TENANT);
  if (!tenant.success)
    return err(invalid([{ path: "Godwit-Tenant", message: tenant.error.issues[0]?.message ?? "is not a tenant id" }]));
  return ok({ tenant: tenant.data, scopes: SCOPES, is_root: true });
};

/** Whether the caller may do what needs this scope; `admin` may do everything within its tenant. */
const allows = (principal: Principal, access: "any" | Scope): boolean =>
  access === "any" || principal.scopes.includes(access) || principal.scopes.includes("admin");

/**
 * Who calls and for which tenant. The root key acts for the tenant in `Godwit-Tenant` (`default` without it), any other
 * key for its own. Nothing is cached: a revoked key is refused at once.
 */
export const authenticate = async (
  request: Request,
  env: Bindings,
  access: "open" | "any" | Scope,
): Promise<Result<Pick<Call, "principal" | "tenant">, Problem>> => {
  if (access === "open") return ok({ principal: NOBODY, tenant: DEFAULT_TENANT });
  const principal = await principalOf(request, env);
  if (!principal.ok) return principal;
  const { tenant, is_root: isRoot } = principal.value;
  const named = request.headers.get("Godwit-Tenant");
  if (!isRoot && named !== null && named !== tenant)
    return err(problem("forbidden", "the API key belongs to another tenant than the one in `Godwit-Tenant`"));
  if (!allows(principal.value, access))
    return err(problem("forbidden", `the API key lacks the scope \`${access}\``, { scope: access }));
  return ok({ principal: principal.value, tenant });
};
