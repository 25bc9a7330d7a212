/** One row of the problem table: how a code is answered on the wire. */
export interface ProblemType {
  readonly status: number;
  readonly title: string;
  /** Whether the same request may succeed later without a change. */
  readonly retryable: boolean;
}

/**
 * Every error code of the API with its HTTP status. Each has a page `docs/errors/<code>.md`.
 * `<thing>_not_found` codes are spelled out, one for each kind of thing.
 */
export const PROBLEMS = {
  invalid_request: { status: 400, title: "The request is not valid", retryable: false },
  unauthorized: { status: 401, title: "No valid API key was given", retryable: false },
  invalid_signature: { status: 401, title: "The webhook's signature is missing or wrong", retryable: false },
  forbidden: { status: 403, title: "The API key may not do this", retryable: false },
  route_not_found: { status: 404, title: "There is no such route", retryable: false },
  run_not_found: { status: 404, title: "There is no such run", retryable: false },
  node_not_found: { status: 404, title: "The workflow has no such node", retryable: false },
  workflow_not_found: { status: 404, title: "There is no such workflow", retryable: false },
  trigger_not_found: { status: 404, title: "There is no such trigger", retryable: false },
  event_not_found: { status: 404, title: "There is no such event", retryable: false },
  handshake_not_found: { status: 404, title: "No provider has asked to be verified", retryable: false },
  dead_letter_not_found: { status: 404, title: "There is no such dead letter", retryable: false },
  approval_not_found: { status: 404, title: "Nothing was asked about this", retryable: false },
  operation_not_found: { status: 404, title: "There is no such operation", retryable: false },
  body_not_found: { status: 404, title: "The body of the delivery is not kept", retryable: false },
  asset_not_found: { status: 404, title: "There is no such asset", retryable: false },
  job_not_found: { status: 404, title: "The queue has no such job", retryable: false },
  checkpoint_not_found: { status: 404, title: "The run has no such checkpoint", retryable: false },
  session_not_found: { status: 404, title: "The run has no such session", retryable: false },
  tool_call_not_found: { status: 404, title: "No stage waits for this tool call", retryable: false },
  artifact_not_found: { status: 404, title: "The run has no such artifact", retryable: false },
  key_not_found: { status: 404, title: "There is no such API key", retryable: false },
  method_not_allowed: { status: 405, title: "The route does not have this method", retryable: false },
  stale_attempt: { status: 409, title: "The attempt token is not the current one", retryable: false },
  stage_already_prepared: { status: 409, title: "A stage is already prepared", retryable: true },
  no_prepared_stage: { status: 409, title: "No stage is prepared", retryable: false },
  node_mismatch: { status: 409, title: "Another node is prepared", retryable: false },
  invalid_transition: { status: 409, title: "This cannot be done in the present state", retryable: false },
  run_already_exists: { status: 409, title: "A run with this id exists already", retryable: false },
  idempotency_key_reused: { status: 409, title: "The idempotency key was used for another request", retryable: false },
  event_settled: { status: 409, title: "The event is over", retryable: false },
  approval_decided: { status: 409, title: "The request was answered already", retryable: false },
  trigger_paused: { status: 409, title: "The trigger is paused", retryable: true },
  payload_too_large: { status: 413, title: "The request is too large", retryable: false },
  unsupported_media_type: { status: 415, title: "The body must be JSON", retryable: false },
  graph_invalid: { status: 422, title: "The workflow graph is not valid", retryable: false },
  fork_edit_refused: { status: 422, title: "The fork cannot be edited like this", retryable: false },
  policy_exceeds_ceiling: { status: 422, title: "The policy exceeds the ceiling", retryable: false },
  rate_limited: { status: 429, title: "Too many requests", retryable: true },
  internal_error: { status: 500, title: "Godwit failed", retryable: true },
  invariant_violated: { status: 500, title: "The run is quarantined", retryable: false },
  update_timed_out: { status: 504, title: "Nobody has answered the update in time", retryable: true },
  unavailable: { status: 503, title: "Godwit cannot serve this now", retryable: true },
} as const satisfies Record<string, ProblemType>;

/** A code of the problem table. */
export type ProblemCode = keyof typeof PROBLEMS;
