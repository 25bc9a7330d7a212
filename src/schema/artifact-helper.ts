/** The helpers that make artifacts of one kind each (spec/workflow 15.2). */
export const HELPER_OPS = [
  "workspace_file",
  "workspace_snapshot",
  "editor_selection",
  "verification_result",
  "test_result",
  "command_result",
  "diff",
  "git_diff",
  "diff_review",
  "review_decision",
  "patch_proposal",
  "verification_bundle",
  "apply_intent",
] as const;

/** The name of a helper, which is also the kind it makes. */
export type HelperKind = (typeof HELPER_OPS)[number];
