/** The categories of a failed call (spec/workflow 0.3). */
export const ERROR_CATEGORIES = [
  "timeout",
  "auth",
  "rate_limit",
  "overloaded",
  "server_error",
  "transient_network",
  "schema_validation",
  "tool_error",
  "tool_rejected",
  "egress_blocked",
  "cancelled",
  "not_found",
  "circuit_open",
  "budget_exceeded",
  "generic",
] as const;

/** One of the categories of a failed call (spec/workflow 0.3). */
export type StageErrorCategory = (typeof ERROR_CATEGORIES)[number];
