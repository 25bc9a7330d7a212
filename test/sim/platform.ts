import type { Random } from "../support/random.ts";
import type { FaultName } from "./faults.ts";
import type { Process } from "./process.ts";
import type { Scheduler } from "./scheduler.ts";

/** What decides whether something goes wrong, as far as hosts, queues and processes ask. */
export interface PlatformFaults {
  readonly counts: Record<FaultName, number>;
  readonly enabled: { has(name: FaultName): boolean };
  hits(name: FaultName): boolean;
  draws(name: FaultName): boolean;
  random(name: FaultName): Random;
}

/** What hosts, queues and processes need around them: clock, chance, faults and a record of what happened. */
export interface Platform {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly faults: PlatformFaults;
  readonly counters: { alarms_set: number };
  readonly mortals: Set<Process>;
  readonly trace: (line: string) => void;
  readonly stray: (fault: unknown) => void;
  /** What the object's clock shows. */
  clock(): number;
  latency(): number;
  /** How many commits of a call are spared before one that is doomed; none without it. */
  spared?(): number;
}
