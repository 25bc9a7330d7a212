import { FAULTS } from "../faults.ts";

/** Every fault and disturbance of a simulation of triggers, with its probability at each opportunity. */
export const TRIGGER_FAULTS = {
  ...FAULTS,
  // What the platform promises, and what only runs know.
  alarm_lost: 0,
  deploy: 0,
  undriven: 0,
  no_heartbeat: 0,
  slow_stage: 0,
  late_completion: 0,
  step_repeated: 0,
  pause: 0,
  cancel: 0,
  signal: 0,
  receive: 0,
  eviction: 0.05,
  clock_jump: 0.03,
  restart: 0.01,
  /** The alarm comes although nothing is due. */
  alarm_repeated: 0.03,
  /** The first commit of a call stands, and the next one is what the object dies in. */
  later_commit: 0.4,
  /** A sender delivers again what it delivered before. */
  redelivery: 0.25,
  /** Deliveries come at the same moment. */
  burst: 0.3,
  new_version: 0.02,
  roll_back: 0.02,
  pause_trigger: 0.01,
  delete_trigger: 0.005,
  cancel_event: 0.04,
  replay_event: 0.03,
  retry_letter: 0.1,
  discard_letter: 0.05,
  handler_fails: 0.25,
  handler_denies: 0.04,
  handler_times_out: 0.04,
  /** The handler hangs until its attempt is given up, and then succeeds. */
  handler_hangs: 0.05,
  /** The destination is down for a while: everything fails. */
  outage: 0.03,
  model_fails: 0.1,
  run_fails: 0.2,
  run_takes_long: 0.08,
  /** Nobody is told of the end of a run: only looking finds it out. */
  run_unreported: 0.1,
  run_report_repeated: 0.2,
} as const;

/** A fault of a simulation of triggers. */
export type TriggerFaultName = keyof typeof TRIGGER_FAULTS;
