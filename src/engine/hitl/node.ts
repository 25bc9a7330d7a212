import type { Json, JsonObject } from "../../lib/json.ts";
import { err, type Result } from "../../lib/result.ts";
import { schemaProblem } from "./schema-problem.ts";
import { type Asked, askUser, dualControl, escalateTo, requestApproval } from "./asked.ts";

/** What a request takes from around its node. */
export interface AskedAround {
  /** The policy of the run, for an escalation. */
  readonly policy: Json;
  /** The mutation session of the run; null for none. */
  readonly audit: Json;
}

const NOWHERE: AskedAround = { policy: null, audit: null };

const approval = (person: JsonObject, { audit }: AskedAround): Result<Asked, string> => {
  const { args, detail, quorum, reviewers, timeout_ms, principal, evidence_refs, undo_metadata } = person;
  const given = { args, detail, quorum, reviewers, principal, evidence_refs, deadline_ms: timeout_ms };
  const { capabilities_requested } = person;
  const options = { ...given, capabilities_requested, undo_metadata: undo_metadata ?? audit };
  return requestApproval(person["action"], options as JsonObject);
};

const release = (person: JsonObject): Result<Asked, string> => {
  const { n, m, action, handler, approvers, timeout_ms, input, detail } = person;
  const name = typeof action === "string" && action !== "" ? action : handler;
  const isNamed = typeof handler === "string" && handler !== "" && typeof name === "string";
  return dualControl({
    n,
    m,
    action: isNamed ? { name } : null,
    approvers,
    deadline_ms: timeout_ms,
    release: isNamed ? { function: handler, input: input ?? null, detail: detail ?? null } : null,
  });
};

/** What the `person` of a stage asks, or what is wrong with it (spec/workers 24.3 to 24.7). */
export const askedByNode = (person: JsonObject, around: AskedAround = NOWHERE): Result<Asked, string> => {
  const { prompt, schema, default: fallback, timeout_ms, role, reason } = person;
  switch (person["kind"]) {
    case "question":
      return askUser(prompt, { schema, default: fallback, timeout_ms } as JsonObject);
    case "approval":
      return approval(person, around);
    case "dual_control":
      return release(person);
    case "escalation":
      return escalateTo(role, reason, around.policy);
    default:
      return err("person.kind must be question, approval, dual_control or escalation");
  }
};

const unreachable = (asked: Asked): string | null => {
  if (asked.kind !== "approval" || asked.reviewers.length === 0) return null;
  const names = new Set(asked.reviewers.filter((name) => !name.includes("{{")));
  if (names.size < asked.reviewers.length && asked.reviewers.some((name) => name.includes("{{"))) return null;
  return names.size < asked.quorum ? `${asked.quorum} approvals cannot come from ${names.size} reviewers` : null;
};

/** What is wrong with the `person` of a stage whose templates are not filled in yet; null for nothing. */
export const personProblem = (person: JsonObject): string | null => {
  const { kind, handler } = person;
  if (kind === "dual_control" && (typeof handler !== "string" || handler === ""))
    return "dual control requires the name of a registered function in person.handler";
  const asked = askedByNode(person);
  if (!asked.ok) return asked.error;
  const { schema, timeout_ms } = person;
  const flaw = schemaProblem(schema);
  if (flaw !== null) return flaw;
  if (asked.value.kind === "escalation" && timeout_ms !== undefined && timeout_ms !== null)
    return "an escalation waits until somebody accepts it; leave out person.timeout_ms";
  return unreachable(asked.value);
};

/** True for what people approve or deny: what follows a denial must be said (spec/workers 24.4, 24.6). */
export const isDecidedByPeople = (person: JsonObject): boolean =>
  person["kind"] === "approval" || person["kind"] === "dual_control";
