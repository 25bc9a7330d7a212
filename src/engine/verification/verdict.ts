import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { VerificationCheck } from "./evidence.ts";

/** What a callable verifier said. */
export interface Verdict {
  readonly kind: string;
  readonly check: VerificationCheck;
  readonly findings: readonly string[];
}

const textsOf = (value: Json | undefined): readonly string[] =>
  (Array.isArray(value) ? (value as readonly Json[]) : [])
    .map((finding) => (typeof finding === "string" ? finding : JSON.stringify(finding)))
    .filter((finding) => finding !== "");

const saysOk = (value: Json | undefined): value is JsonObject => isObject(value) && typeof value["ok"] === "boolean";

/**
 * The verdict in the result of a verifier: true, false, or `{ok, findings?, kind?}` (spec/workflow 7.1). Any other answer
 * is a failed verification that says so.
 */
export const verdictOf = (name: string, result: JsonObject): Verdict => {
  const { data } = result;
  if (typeof data === "boolean") return verdict(name, data);
  const answer = saysOk(data) ? data : saysOk(result) ? result : null;
  if (answer === null) return verdict(name, false, ["the verifier answered neither true or false nor {ok, findings}"]);
  const kind = typeof answer["kind"] === "string" && answer["kind"] !== "" ? answer["kind"] : undefined;
  return verdict(name, answer["ok"] === true, textsOf(answer["findings"]), kind);
};

const verdict = (name: string, isOk: boolean, findings: readonly string[] = [], kind = "function"): Verdict => ({
  kind,
  check: { kind: "function", ok: isOk, expected: name, actual: isOk ? "ok" : "not ok" },
  findings,
});
