import { vi } from "vitest";

/**
 * The real class of a run's object, outside the platform: only the platform's own base class is replaced, by one that
 * keeps what it is given.
 */
vi.doMock("cloudflare:workers", () => ({
  DurableObject: class {
    readonly ctx: unknown;
    readonly env: unknown;
    constructor(ctx: unknown, env: unknown) {
      this.ctx = ctx;
      this.env = env;
    }
  },
}));

export const { WorkflowRun } = await import("../../durable-objects/workflow-run.ts");

export const { Mailbox } = await import("../../durable-objects/mailbox.ts");

export const { Trigger } = await import("../../durable-objects/trigger.ts");

export const { AgentWorker } = await import("../../durable-objects/agent-worker.ts");

const { Circuit } = await import("../../durable-objects/circuit.ts");

/** The class of a circuit has no alarm. */
export class HostedCircuit extends Circuit {
  override readonly alarm = async (): Promise<void> => {};
}

/** What every hosted object can be told. */
export interface HostedObject {
  readonly alarm: () => Promise<void>;
  readonly recover: () => unknown;
}

export type HostedClass<Instance> = new (ctx: DurableObjectState, env: Env) => Instance;

export type RunObject = InstanceType<typeof WorkflowRun>;

export type RunClass = HostedClass<RunObject>;

export type MailboxObject = InstanceType<typeof Mailbox>;

export type MailboxClass = HostedClass<MailboxObject>;

export type TriggerObject = InstanceType<typeof Trigger>;

export type TriggerClass = HostedClass<TriggerObject>;

export type WorkerObject = InstanceType<typeof AgentWorker>;

export type WorkerClass = HostedClass<WorkerObject>;
