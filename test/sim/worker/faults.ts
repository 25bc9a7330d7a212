import { FAULTS } from "../faults.ts";

/** Every fault and disturbance of a simulation of workers, with its probability at each opportunity. */
export const WORKER_FAULTS = {
  ...FAULTS,
  // What the platform promises, and what only other simulations have.
  alarm_lost: 0,
  deploy: 0,
  pause: 0,
  signal: 0,
  receive: 0,
  step_repeated: 0,
  late_completion: 0,
  clock_jump: 0,
  eviction: 0.08,
  restart: 0.01,
  undriven: 0.3,
  /** A person does something to a worker. */
  person: 0.5,
  /** Two people resume a worker at the same time. */
  double_resume: 0.5,
  /** A worker is asked for by a person. */
  spawn: 0.15,
  /** What an earlier cycle reported comes once more. */
  stale_report: 0.3,
  /** A cycle is ordered once more, at any moment. */
  order_repeated: 0.15,
  cancel: 0.06,
  rpc_lost: 0.1,
  crash_in_commit: 0.06,
  stage_fails: 0.12,
} as const;

/** A fault of a simulation of workers. */
export type WorkerFaultName = keyof typeof WORKER_FAULTS;
