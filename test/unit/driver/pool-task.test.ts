import { describe, expect, it } from "vitest";
import type { ReportedOutcome } from "../../../durable-objects/shell/pool-shell.ts";
import { carryOutTask, performTask, type TaskHolder, type TaskPorts } from "../../../src/driver/pool-task.ts";
import { HostedPool } from "../pool/fixture.ts";

const LEASE_MS = 4;

/** A pool as its consumers see it: over calls that may be lost, with claims that last no time. */
class RemotePool implements TaskHolder {
  readonly host: HostedPool;
  readonly pauses: number[] = [];
  renewals = 0;
  lostReports = 0;
  /** Called at each renewal. */
  onRenewal: () => void = () => undefined;

  constructor(host: HostedPool) {
    this.host = host;
  }

  async claim(id: string) {
    const answer = this.host.shell.claim(id);
    if (!answer.ok || answer.reply === null) return answer;
    return { ok: true as const, reply: { ...answer.reply, lease_ms: LEASE_MS } };
  }

  async renew(id: string, token: string) {
    this.renewals += 1;
    this.onRenewal();
    return this.host.shell.renew(id, token);
  }

  async end(id: string, token: string, outcome: ReportedOutcome) {
    this.lostReports -= 1;
    if (this.lostReports >= 0) throw new Error("the network is down");
    return this.host.shell.end(id, token, outcome);
  }

  ports(perform: TaskPorts["perform"] = (call, signal) => performTask({}, call, signal)): TaskPorts {
    const wait = (ms: number): Promise<void> => {
      this.pauses.push(ms);
      return Promise.resolve();
    };
    return { pool: () => this, perform, wait };
  }
}

const remote = (): { readonly pool: RemotePool; readonly id: string } => {
  const host = new HostedPool();
  const { id } = host.put({ args: "x", retry: { max_attempts: 2 } });
  return { pool: new RemotePool(host), id };
};

describe("carrying out an offered task", () => {
  it("[L-26.4] claims it, calls its function and reports", async () => {
    const { pool, id } = remote();
    expect(await carryOutTask(pool.ports(), id)).toBeNull();
    expect(pool.host.task(id)).toMatchObject({ status: "completed", result: "x", attempts: 1 });
  });

  it("[L-26.4] does nothing about a task that is over, or a pool that is gone", async () => {
    const { pool, id } = remote();
    await carryOutTask(pool.ports(), id);
    let calls = 0;
    const counted = pool.ports(() => {
      calls += 1;
      return Promise.resolve({ type: "succeeded", result: null });
    });
    expect(await carryOutTask(counted, id)).toBeNull();
    pool.host.shell.remove(pool.host.pool.id);
    expect(await carryOutTask(counted, id)).toBeNull();
    expect(calls).toBe(0);
  });

  it("[L-26.6] keeps the claim for as long as the function takes", async () => {
    const { pool, id } = remote();
    const renewed = new Promise<void>((resolve) => {
      pool.onRenewal = () => {
        if (pool.renewals === 3) resolve();
      };
    });
    const slow = pool.ports(() => renewed.then(() => ({ type: "succeeded", result: "slow" })));
    expect(await carryOutTask(slow, id)).toBeNull();
    expect(pool.host.task(id)).toMatchObject({ status: "completed", result: "slow" });
    expect(pool.renewals).toBeGreaterThanOrEqual(3);
  });

  it("[I6] stops when the task has become somebody else's, whose result alone counts", async () => {
    const { pool, id } = remote();
    const { host } = pool;
    let other = "";
    pool.onRenewal = () => {
      if (other !== "") return;
      host.now += 30_000;
      host.ring();
      const answer = host.shell.claim(id);
      if (answer.ok) other = answer.reply?.token ?? "";
    };
    const aborted = pool.ports(
      (_call, signal) =>
        new Promise((resolve) => {
          const end = (): void => resolve({ type: "succeeded", result: String(signal.reason) });
          signal.addEventListener("abort", end);
        }),
    );
    expect(await carryOutTask(aborted, id)).toMatchObject({ code: "stale_attempt" });
    expect(host.task(id)).toMatchObject({ status: "running", attempts: 2 });
    expect(host.shell.end(id, other, { type: "succeeded", result: "other" }).ok).toBe(true);
    expect(host.task(id).result).toBe("other");
  });

  it("[L-26.4] reports again when the report was lost, and leaves the task to its pool in the end", async () => {
    const { pool, id } = remote();
    pool.lostReports = 2;
    expect(await carryOutTask(pool.ports(), id)).toBeNull();
    expect(pool.pauses).toEqual([500, 1_000]);
    expect(pool.host.task(id).status).toBe("completed");
    const lost = remote();
    lost.pool.lostReports = 3;
    await expect(carryOutTask(lost.pool.ports(), lost.id)).rejects.toThrow("the network is down");
    expect(lost.pool.host.task(lost.id).status).toBe("running");
    lost.pool.host.now += 30_000;
    lost.pool.host.ring();
    expect(lost.pool.host.offers).toHaveLength(2);
    expect(await carryOutTask(lost.pool.ports(), lost.id)).toBeNull();
    expect(lost.pool.host.task(lost.id)).toMatchObject({ status: "completed", attempts: 2 });
  });

  it("[L-26.4] a failure says whether another attempt may mend it", async () => {
    const { pool, id } = remote();
    const failing = (retryable: boolean) =>
      pool.ports(() => Promise.resolve({ type: "failed", class: "local", error: "no", retryable }));
    await carryOutTask(failing(true), id);
    expect(pool.host.task(id)).toMatchObject({ status: "running", error: "no" });
    pool.host.now += 1_000;
    await carryOutTask(failing(false), id);
    expect(pool.host.task(id)).toMatchObject({ status: "failed", error: "no", attempts: 2 });
  });
});
