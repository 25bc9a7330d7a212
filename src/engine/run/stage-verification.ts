import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { VerificationContract, WorkflowNode } from "../../schema/graph.ts";
import type { VerificationRequirement } from "../../schema/policy.ts";
import { checkRequirement, type Subject } from "../verification/checks.ts";
import { evaluateVerification } from "../verification/evaluate.ts";
import { type Verification, type VerificationCheck, verificationOf } from "../verification/evidence.ts";
import { verdictOf } from "../verification/verdict.ts";
import { verifyCommand, verifyFunction } from "./stage-node.ts";
import type { PreparedStage, Run, StageWork } from "./state.ts";

/** What of a run verification looks at. */
type VerifiedRun = Pick<Run, "contracts" | "artifacts">;

type VerifiedUnit = Pick<PreparedStage, "selected_artifact_ids"> & { readonly work: Pick<StageWork, "type"> };

/** Checks of the verify settings themselves, and the kind that a contract derives from the same setting. */
const SAME_CHECK: Readonly<Record<string, string>> = {
  assert_text: "visible_text_contains",
  expect_text: "combined_output_contains",
  expect_status: "expect_status",
};

/**
 * Whether a node's contract is checked and not only told: for a verify node that has nothing else to verify with, unless
 * `verify.enforce` says otherwise.
 */
const isEnforced = (node: WorkflowNode): boolean => {
  const enforce = isObject(node.verify) ? node.verify["enforce"] : undefined;
  if (typeof enforce === "boolean") return enforce;
  return node.kind === "verify" && verifyCommand(node) === undefined && verifyFunction(node) === undefined;
};

const contractOfNode = (run: VerifiedRun, node: WorkflowNode): VerificationContract | undefined =>
  run.contracts.find((contract) => contract.source_node === node.id);

const selectedArtifacts = (run: VerifiedRun, prepared: VerifiedUnit): readonly ArtifactRecord[] => {
  const byId = new Map(run.artifacts.toArray().map((artifact) => [artifact.id, artifact]));
  return prepared.selected_artifact_ids.flatMap((id) => byId.get(id) ?? []);
};

/** A verify node without command and function has no output of its own: it looks at what the stages before it made. */
const subjectOf = (run: VerifiedRun, node: WorkflowNode, prepared: VerifiedUnit, result: JsonObject): Subject => {
  if (node.kind !== "verify") return { result, artifacts: [] };
  const artifacts = selectedArtifacts(run, prepared);
  const newest = artifacts.at(-1)?.text;
  const shown = prepared.work.type === "given" && newest != null ? { text: newest, visible_text: newest } : {};
  return { result: { ...result, ...shown }, artifacts };
};

const isCovered = ({ kind, value }: VerificationRequirement, checks: readonly VerificationCheck[]): boolean =>
  checks.some((check) => SAME_CHECK[check.kind] === kind && String(check.expected).trim() === value);

const contractChecks = (
  contract: VerificationContract | undefined,
  subject: () => Subject,
  done: readonly VerificationCheck[],
): readonly VerificationCheck[] => {
  const left = contract?.checks.filter((requirement) => !isCovered(requirement, done)) ?? [];
  if (left.length === 0) return [];
  const looked = subject();
  return left.flatMap((requirement) => checkRequirement(requirement, looked) ?? []);
};

/** What was seen instead, for the checks of the verify settings that failed. */
const withEvidence = (check: VerificationCheck, result: JsonObject): VerificationCheck => {
  if (check.ok || check.actual !== undefined) return check;
  const visible = result["visible_text"] ?? result["text"] ?? null;
  return { ...check, actual: visible === "" ? null : visible };
};

/**
 * Verifies the result of a stage: its verify settings, the verdict of its verifier, and where it is enforced its contract
 * (spec/workflow 7.1, 7.2). What is kept of it is bounded; `evidence` says what was seen in texts that are bodies now.
 */
export const verifyStage = (
  run: VerifiedRun,
  node: WorkflowNode,
  { unit, evidence }: { readonly unit: VerifiedUnit; readonly evidence: readonly VerificationCheck[] },
  result: JsonObject,
): Verification => {
  if (!isObject(node.verify)) return { kind: "none", ok: true };
  const base = evaluateVerification(node.verify as Json, result, evidence).checks ?? [];
  const own = base.map((check) => withEvidence(check, result));
  const name = node.kind === "verify" ? verifyFunction(node) : undefined;
  const verdict = name === undefined ? null : verdictOf(name, result);
  const fromContract = isEnforced(node)
    ? contractChecks(contractOfNode(run, node), () => subjectOf(run, node, unit, result), base)
    : [];
  const checks = [...(verdict === null ? [] : [verdict.check]), ...own, ...fromContract];
  if (checks.length === 0) return { kind: "none", ok: true };
  return verificationOf(verdict?.kind ?? "composite", checks, verdict?.findings ?? []);
};
