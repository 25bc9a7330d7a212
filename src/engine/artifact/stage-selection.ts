import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { StageContract } from "../../schema/policy.ts";
import { selectAdaptive } from "./adaptive.ts";
import type { SelectionPolicy } from "./select.ts";

/** The artifacts a stage reads, best first; a policy without kinds takes those of the input contract (spec/workflow 9.1). */
export const selectForStage = (
  artifacts: readonly ArtifactRecord[],
  contextPolicy: SelectionPolicy,
  inputContract: Pick<StageContract, "input_kinds">,
): readonly ArtifactRecord[] => {
  const takesContract = contextPolicy.include_kinds.length === 0 && inputContract.input_kinds.length > 0;
  const policy = takesContract ? { ...contextPolicy, include_kinds: inputContract.input_kinds } : contextPolicy;
  return selectAdaptive(artifacts, policy);
};
