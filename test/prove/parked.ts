import { parseArgs } from "node:util";
import { TriggerShell } from "../../durable-objects/shell/trigger-shell.ts";
import { sqliteStore } from "../../durable-objects/storage/sqlite-store.ts";
import { storedDefinition } from "../../src/engine/trigger/binding.ts";
import { definition, NOON, opened } from "../unit/trigger/fixture.ts";

// What a trigger costs on which very many events wait for one slot: node --expose-gc test/prove/parked.ts --events 100000

const { values } = parseArgs({ options: { events: { type: "string", default: "100000" } } });
const EVENTS = Number(values.events);
const DISPATCHED = 200;

const store = sqliteStore();
let now = NOON;
let ids = 0;
const sent: string[] = [];

const open = (): TriggerShell =>
  new TriggerShell({
    store,
    context: () => ({
      now,
      nextId: (prefix) => `${prefix}_00000000-0000-7000-8000-${String(++ids).padStart(12, "0")}`,
    }),
    objectId: "trigger",
    queuesForget: false,
    send: (messages) => void sent.push(...messages.map(({ dedupe_key }) => dedupe_key)),
    changed: () => undefined,
  });

const timed = <T>(work: () => T): readonly [T, number] => {
  const started = performance.now();
  const value = work();
  return [value, performance.now() - started];
};

const heapMb = async (): Promise<number> => {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error("start this with --expose-gc");
  for (let pass = 0; pass < 4; pass++) {
    await new Promise((resolve) => setImmediate(resolve));
    gc();
  }
  return process.memoryUsage().heapUsed / 1_048_576;
};

const rounded = (value: number): number => Math.round(value * 100) / 100;

const start = (shell: TriggerShell, key: string): string | null => {
  let answer = shell.dispatch(key);
  if (answer.ok && answer.reply.order?.type === "check_circuit")
    answer = shell.dispatch(key, { circuit: { type: "closed" } });
  if (!answer.ok) throw new Error(answer.rejection.detail);
  const { order } = answer.reply;
  if (order?.type !== "handle") return null;
  shell.settle(key, { dispatch_id: order.call.idempotency_key, attempt: 1, outcome: { type: "running" } });
  return order.call.idempotency_key;
};

const first = open();
const definitionOf = definition({ match: {}, concurrency: { max: 1 } });
first.configure({ type: "configure", trigger_id: "hub", definition: storedDefinition(definitionOf) });
let holder: { key: string; dispatch_id: string } | null = null;
const [, made_ms] = timed(() => {
  for (let number = 0; number < EVENTS; number += 1) {
    now += 1;
    const key = `delivery-${number}`;
    first.accept({ tenant: "default", version: 1, event: { ...opened, dedupe_key: key } });
    const dispatch_id = start(first, key);
    if (dispatch_id !== null) holder = { key, dispatch_id };
    if ((store.alarmAt() ?? Infinity) <= now) first.alarm();
  }
});
const before = await heapMb();
const shell = open();
const [, wake_ms] = timed(() => shell.rearm());
const heap_mb = (await heapMb()) - before;
const [, load_ms] = timed(() => shell.load);
sent.length = 0;
const [, dispatch_ms] = timed(() => {
  for (let count = 0; count < DISPATCHED && holder !== null; count += 1) {
    now += 100;
    const { key, dispatch_id } = holder;
    shell.settle(key, { dispatch_id, attempt: 1, outcome: { type: "succeeded", result: null } });
    const next = sent.shift() ?? "";
    const id = start(shell, next);
    if (id === null) throw new Error(`${next} did not start`);
    holder = { key: next, dispatch_id: id };
    if ((store.alarmAt() ?? Infinity) <= now) shell.alarm();
  }
});
now += 700_000;
const alarms = Array.from({ length: 20 }, () => {
  const rows = store.rowsWritten();
  const [messages, ms] = timed(() => shell.alarm().length);
  now = store.alarmAt() ?? now;
  return { messages, ms, rows: store.rowsWritten() - rows, at_ms: now };
});
console.log(
  JSON.stringify({
    proof: "parked",
    events: EVENTS,
    made_ms_each: rounded(made_ms / EVENTS),
    wake_ms: rounded(wake_ms),
    heap_mb: rounded(heap_mb),
    load_ms: rounded(load_ms),
    dispatch_ms_each: rounded(dispatch_ms / DISPATCHED),
    alarm_ms_each: rounded(alarms.reduce((sum, { ms }) => sum + ms, 0) / alarms.length),
    alarm_messages: alarms.reduce((sum, { messages }) => sum + messages, 0),
    alarm_rows: alarms.reduce((sum, { rows }) => sum + rows, 0),
    alarms_took_virtual_ms: (alarms.at(-1)?.at_ms ?? 0) - (alarms[0]?.at_ms ?? 0),
  }),
);
