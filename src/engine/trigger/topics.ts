import { err, ok, type Result } from "../../lib/result.ts";

/** Why a text cannot name a tenant, or null when it can (spec/triggers 24). */
export const tenantIdProblem = (tenant: string): string | null => {
  if (tenant.trim() === "") return "tenant id cannot be empty";
  return /^[A-Za-z0-9_-]+$/.test(tenant)
    ? null
    : `tenant id '${tenant}' contains unsupported characters; use ASCII letters, numbers, '_' or '-'`;
};

/**
 * A topic within a tenant: `tenant.<id>.<topic>`; one that has the tenant's prefix already stays as it is, and one of
 * another tenant is refused (spec/triggers 24).
 */
export const tenantTopic = (tenant: string, topic: string): Result<string, string> => {
  const problem = tenantIdProblem(tenant);
  if (problem !== null) return err(problem);
  const prefix = `tenant.${tenant}.`;
  if (topic.startsWith(prefix)) return ok(topic);
  return topic.startsWith("tenant.")
    ? err(`topic '${topic}' is outside tenant scope '${tenant}'`)
    : ok(`${prefix}${topic}`);
};
