import { PoolShell, type Submitted, type TaskOffer } from "../../../durable-objects/shell/pool-shell.ts";
import { sqliteStore } from "../../../durable-objects/storage/sqlite-store.ts";
import type { Store } from "../../../durable-objects/storage/store.ts";
import type { Answer } from "../../../src/engine/machine.ts";
import { poolOptions } from "../../../src/engine/pool/options.ts";
import type { PoolConfig } from "../../../src/engine/pool/state.ts";
import type { PoolView, TaskView } from "../../../src/engine/pool/view.ts";
import type { Json, JsonObject } from "../../../src/lib/json.ts";

/** The configuration that options stand for. */
export const configOf = (options: JsonObject): PoolConfig => {
  const decoded = poolOptions({ name: "p", ...options });
  if (!decoded.ok) throw new Error(decoded.error);
  return { ...decoded.value, name: decoded.value.name ?? "" };
};

/** What an answer holds; throws for a refusal. */
export const replyOf = <Reply>(answer: Answer<Reply>): Reply => {
  if (!answer.ok) throw new Error(`${answer.rejection.code}: ${answer.rejection.detail}`);
  return answer.reply;
};

/** Why something was refused. */
export const refusalOf = (answer: Answer<unknown>): { readonly code: string; readonly detail: string } => {
  if (answer.ok) throw new Error(`not refused: ${JSON.stringify(answer.reply)}`);
  const { code, detail } = answer.rejection;
  return { code, detail };
};

/** The end of a process in the middle of a commit. */
export class Crash extends Error {
  override readonly name = "Crash";
}

/** A pool on its storage, with a clock of its own, and consumers played by the test. */
export class HostedPool {
  readonly store: Store & { readonly close: () => void };
  readonly config: PoolConfig;
  readonly pool: PoolView;
  /** Every offer that was sent. */
  readonly offers: TaskOffer[] = [];
  now = 1_760_000_000_000;
  /** Rows written since the last look. */
  rows = 0;
  alarm: number | null = null;
  /** The write that the process does not survive, counted from here; null for none. */
  crashAt: number | null = null;
  shell: PoolShell;
  #ids = 0;

  constructor(options: JsonObject = {}) {
    const store = sqliteStore();
    this.store = {
      ...store,
      query: (...given) => store.query(...given),
      write: (...given) => {
        if (this.crashAt !== null && (this.crashAt -= 1) < 0) throw new Crash("the process is gone");
        const rows = store.write(...given);
        this.rows += rows;
        return rows;
      },
      transaction: (body) => store.transaction(body),
      setAlarm: (at) => {
        this.alarm = at;
        store.setAlarm(at);
      },
      close: () => store.close(),
    };
    this.config = configOf(options);
    this.shell = this.load();
    this.pool = replyOf(this.shell.create("acme", this.config)).pool;
  }

  load(): PoolShell {
    const nextId = (prefix: string): string => `${prefix}${prefix === "" ? "" : "_"}${(this.#ids += 1)}`;
    return new PoolShell({ store: this.store, context: () => ({ now: this.now, nextId }) });
  }

  /** Throws away everything in memory, and what was about to be sent. */
  restart(): void {
    this.crashAt = null;
    this.shell = this.load();
  }

  submit(options: JsonObject = {}, requestKey: string | null = null): Answer<Submitted> {
    const answer = this.shell.submit(this.pool.id, {
      options: { handler: "echo", ...options },
      request_key: requestKey,
    });
    this.send();
    return answer;
  }

  /** Submits a task that the pool takes. */
  put(options: JsonObject = {}): TaskView {
    return replyOf(this.submit(options)).task;
  }

  /** Claims a task and ends it. */
  complete(id: string, result: Json = null): TaskView {
    const claimed = replyOf(this.shell.claim(id));
    if (claimed === null) throw new Error(`${id} is not to be had`);
    const ended = replyOf(this.shell.end(id, claimed.token, { type: "succeeded", result }));
    this.send();
    return ended;
  }

  /** Lets the alarm ring if its time has come. */
  ring(): void {
    if (this.alarm === null || this.alarm > this.now) return;
    this.alarm = null;
    this.shell.sweep();
    this.send();
  }

  send(): void {
    this.offers.push(...this.shell.takeOffers());
  }

  task(id: string): TaskView {
    const [task] = replyOf(this.shell.tasks(this.pool.id, [id]));
    if (task === undefined) throw new Error(id);
    return task;
  }

  view(limit = 200): PoolView {
    return replyOf(this.shell.show(this.pool.id, limit));
  }

  /** Ids of the tasks that run now. */
  running(): readonly string[] {
    return this.view()
      .tasks.filter(({ status }) => status === "running")
      .map(({ id }) => id);
  }
}
