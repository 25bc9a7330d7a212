import { fold, type Rejection } from "../../src/engine/machine.ts";
import { ANY_CONTEXT } from "../../src/engine/worker/artifact-carry.ts";
import type {
  CycleResult,
  SpawnWorker,
  WorkerCommand,
  WorkerEffect,
  WorkerReply,
} from "../../src/engine/worker/command.ts";
import type { WorkerEvent } from "../../src/engine/worker/event.ts";
import { workerMachine } from "../../src/engine/worker/machine.ts";
import type { ParentStage, Worker, WorkerConfig, WorkerState } from "../../src/engine/worker/state.ts";
import { workerUpdates } from "../../src/engine/worker/updates.ts";

/** The id of the fixture's worker. */
export const WORKER_ID = "worker_1";

/** A sub-agent that answers. */
export const SUB_AGENT: WorkerConfig = {
  mode: "sub_agent",
  spec: {
    name: "helper",
    task: "first",
    system: null,
    options: {},
    returns_schema: null,
    session_id: "sub_agent_session_1",
    parent_session_id: "session_parent",
  },
};

/** The stage of a run that waits for a worker. */
export const PARENT: ParentStage = { run_id: "run_p", stage_id: "stage_p", node_id: "ask", attempt_token: "token_p" };

/** A request for a worker; what is given takes the place of the default. */
export const spawnOf = (
  changed: Omit<Partial<SpawnWorker>, "carry_policy"> & {
    readonly carry_policy?: Partial<Worker["carry_policy"]>;
  } = {},
): SpawnWorker => ({
  type: "spawn",
  tenant: "t",
  worker_id: WORKER_ID,
  mode: "sub_agent",
  parent_worker_id: null,
  parent_stage_id: null,
  parent: null,
  name: "helper",
  task: "first",
  config: SUB_AGENT,
  execution: { cwd: null, env: {}, worktree: null },
  audit: {},
  ...changed,
  carry_policy: {
    artifact_mode: "inherit",
    transcript_mode: "inherit",
    context_policy: ANY_CONTEXT,
    resume_workflow: true,
    persist_state: true,
    retriggerable: false,
    policy: null,
    ...changed.carry_policy,
  },
});

/** A conversation of so many messages. */
export const transcriptOf = (...texts: readonly string[]) => ({
  _type: "transcript",
  id: "tr_1",
  messages: texts.map((content, index) => ({ role: index % 2 === 0 ? "user" : "assistant", content })),
  events: [],
});

/** A cycle that went well with a text. */
export const went = (text: string): CycleResult => ({
  ok: true,
  payload: { text, run: { id: `run_of_${text}` }, path: `${text}.json` },
  transcript: transcriptOf("hello", text),
  artifacts: [],
  execution: null,
});

/** One worker in memory, with all that has happened to it. */
export class WorkerFixture {
  state: WorkerState = null;
  /** The state that deciding has made on its way; the fold is to be the same. */
  decided: WorkerState = null;
  now = Date.parse("2026-04-19T12:00:00.000Z");
  readonly events: WorkerEvent[] = [];
  readonly effects: WorkerEffect[] = [];
  /** The names of the public events, in order. */
  readonly shown: string[] = [];
  #ids = 0;

  /** A worker that has been asked for. */
  static spawned(changed: Parameters<typeof spawnOf>[0] = {}): WorkerFixture {
    const worker = new WorkerFixture();
    worker.tell(spawnOf(changed));
    return worker;
  }

  /** A worker whose run exists. */
  static running(changed: Parameters<typeof spawnOf>[0] = {}): WorkerFixture {
    const worker = WorkerFixture.spawned(changed);
    worker.begin("run_1");
    worker.takeEffects();
    return worker;
  }

  /** A worker that is suspended and at rest, its run paused. */
  static parked(suspension: Partial<Extract<WorkerCommand, { readonly type: "suspend" }>> = {}): WorkerFixture {
    const worker = WorkerFixture.running();
    worker.suspend(suspension);
    worker.rest();
    worker.takeEffects();
    return worker;
  }

  get worker(): Worker {
    if (this.state === null) throw new Error("there is no worker");
    return this.state;
  }

  /** Gives a command; throws where it is refused. */
  tell(command: WorkerCommand): WorkerReply {
    const decision = this.#decide(command);
    if (!decision.ok) throw new Error(`${command.type}: ${decision.rejection.detail}`);
    for (const event of decision.events) {
      const before = this.state;
      this.state = fold(workerMachine, before, [event]);
      this.shown.push(...workerUpdates(event, before, this.state).map((update) => update.event));
    }
    this.decided = decision.state ?? null;
    this.events.push(...decision.events);
    this.effects.push(...decision.effects);
    return decision.reply;
  }

  /** Why a command is refused; throws where it is not. */
  refusal(command: WorkerCommand): Rejection {
    const decision = this.#decide(command);
    if (decision.ok) throw new Error(`${command.type} was not refused`);
    return decision.rejection;
  }

  begin(run_id: string, cycle: number = this.worker.cycle): void {
    this.tell({ type: "cycle_began", cycle, run_id });
  }

  end(result: CycleResult, cycle: number = this.worker.cycle): void {
    this.tell({ type: "cycle_ended", cycle, result });
  }

  suspend(changed: Partial<Extract<WorkerCommand, { readonly type: "suspend" }>> = {}): WorkerReply {
    return this.tell({ type: "suspend", reason: "why", initiator: "operator", conditions: null, ...changed });
  }

  /** The run has come to rest. */
  rest(): void {
    const { cycle } = this.worker;
    this.tell({ type: "cycle_paused", cycle, turn: 3, transcript: transcriptOf("hello", "so far") });
  }

  resume(changed: Partial<Extract<WorkerCommand, { readonly type: "resume" }>> = {}): WorkerReply {
    return this.tell(resumeOf(changed));
  }

  /** The effects that were ordered and not looked at yet. */
  takeEffects(): readonly WorkerEffect[] {
    return this.effects.splice(0);
  }

  #decide(command: WorkerCommand): ReturnType<typeof workerMachine.decide> {
    return workerMachine.decide(this.state, command, {
      now: this.now,
      nextId: (prefix) => `${prefix === "" ? "" : `${prefix}_`}${(this.#ids += 1)}`,
    });
  }
}

/** A resumption; what is given takes the place of the default. */
export const resumeOf = (
  changed: Partial<Extract<WorkerCommand, { readonly type: "resume" }>> = {},
): Extract<WorkerCommand, { readonly type: "resume" }> => ({
  type: "resume",
  input: null,
  continue_transcript: true,
  initiator: "operator",
  trigger_event: null,
  ...changed,
});
