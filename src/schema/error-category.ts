/** The categories of a failed call (spec/workflow 0.3). */
export type StageErrorCategory =
  | "timeout"
  | "auth"
  | "rate_limit"
  | "overloaded"
  | "server_error"
  | "transient_network"
  | "schema_validation"
  | "tool_error"
  | "tool_rejected"
  | "egress_blocked"
  | "cancelled"
  | "not_found"
  | "circuit_open"
  | "budget_exceeded"
  | "generic";
