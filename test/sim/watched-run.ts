import type { CreateRun, NumberedStep, RunIndexRow } from "../../src/engine/run/command.ts";
import { isTerminal } from "../../src/engine/run/state.ts";
import { Checker } from "./checker.ts";
import type { Handed } from "./client.ts";
import { type Caller, ObjectHost } from "./host.ts";
import type { RunClass, RunObject } from "./real-object.ts";
import type { World } from "./world.ts";

export interface WatchedRunOptions {
  readonly id: string;
  /** What traces and effects call the object. */
  readonly name: string;
  readonly variant: RunClass;
  /** A run that follows a recording and calls nothing. */
  readonly is_replay?: boolean;
  readonly env: (caller: Caller, isAlive: () => boolean) => Env;
}

/** One run of a world: its object, the eye that watches it, and what was handed in for it. */
export class WatchedRun {
  readonly world: World;
  readonly id: string;
  readonly name: string;
  readonly isReplay: boolean;
  readonly variant: RunClass;
  readonly host: ObjectHost<RunObject>;
  readonly checker: Checker;
  /** What was handed in and recorded so far, to come again. */
  readonly handed: Handed[] = [];
  readonly steps: NumberedStep[] = [];
  create: CreateRun | null = null;
  /** The row that lists show, and the commit it comes from. */
  row: RunIndexRow | null = null;
  rowSeq = 0;
  /** The status of each request to people as lists show it. */
  readonly requests = new Map<string, string>();

  constructor(world: World, { id, name, variant, is_replay: isReplay = false, env }: WatchedRunOptions) {
    this.world = world;
    this.id = id;
    this.name = name;
    this.isReplay = isReplay;
    this.variant = variant;
    this.host = new ObjectHost(world, { name, variant, watch: () => this.checker, env });
    this.checker = new Checker(this);
  }

  /** Whether the run goes on no more: it has ended, or has used up its steps. */
  get isOver(): boolean {
    const { state, pausedBy } = this.checker;
    return state !== null && (isTerminal(state.status) || (state.status === "paused" && pausedBy === "finalize"));
  }
}
