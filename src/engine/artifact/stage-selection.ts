import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { StageContract } from "../../schema/policy.ts";
import { dropStaleEvidence, selectAdaptive } from "./adaptive.ts";
import { admits, type SelectionPolicy } from "./select.ts";

/**
 * The artifacts a stage reads, best first; a policy without kinds takes those of the input contract (spec/workflow 9.1).
 *
 * What the policy leaves out anyway is left out before duplicates are: an artifact that the stage does not see never
 * takes the place of one with the same text that it would see.
 */
export const selectForStage = (
  artifacts: readonly ArtifactRecord[],
  contextPolicy: SelectionPolicy,
  inputContract: Pick<StageContract, "input_kinds">,
): readonly ArtifactRecord[] => {
  const takesContract = contextPolicy.include_kinds.length === 0 && inputContract.input_kinds.length > 0;
  const policy = takesContract ? { ...contextPolicy, include_kinds: inputContract.input_kinds } : contextPolicy;
  return selectAdaptive(dropStaleEvidence(artifacts).filter(admits(policy)), policy);
};
