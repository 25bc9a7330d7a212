import { sqliteStore, type SqliteStore } from "../../durable-objects/storage/sqlite-store.ts";
import type { AdvanceReply } from "../../src/engine/run/command.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import { createRun, type RunFixture, runFixture, type RunShell } from "../support/run-fixture.ts";

/*
 * What the state of one run weighs in the memory of its object: `node --expose-gc test/prove/memory.ts`.
 *
 * Each line is one run, made on a database and then loaded by an object afresh. A platform's isolate has 128 MB, which the
 * objects of a script share; a long run should leave half of it to the others.
 */

const STAGES = 10_000;

const TARGET_MB = 64;

/** A text of so many characters that is like no other. */
const textOf = (index: number, length: number): string =>
  `answer ${index} `.repeat(Math.ceil(length / 8)).slice(0, length);

interface Subject {
  readonly what: string;
  readonly graph: JsonObject;
  readonly options?: JsonObject;
  readonly result: (index: number) => JsonObject;
}

const says = (index: number, length: number): JsonObject => ({
  status: "completed",
  text: textOf(index, length),
  visible_text: textOf(index, length),
});

const loopOf = (node: JsonObject): JsonObject => ({
  id: "loop",
  entry: "a",
  nodes: { a: { kind: "stage", ...node } },
  edges: [{ from: "a", to: "a" }],
});

const mapOf = (node: JsonObject): JsonObject => ({
  id: "map",
  entry: "m",
  nodes: {
    m: { kind: "map", ...node, map_policy: { items: Array.from({ length: STAGES }, (_, index) => ({ item: index })) } },
  },
  edges: [],
});

const FUNCTION = { mode: "function", function: "echo" };

const SUBJECTS: readonly Subject[] = [
  { what: "run of function stages", graph: loopOf(FUNCTION), result: (index) => says(index, 100) },
  { what: "run of function stages that answer 1 KB", graph: loopOf(FUNCTION), result: (index) => says(index, 512) },
  {
    what: "run of model stages",
    graph: loopOf({ mode: "llm", prompt: "Say more", context_policy: { max_artifacts: 2 } }),
    result: (index) => says(index, 100),
  },
  {
    what: "run of model stages in one session",
    graph: loopOf({
      mode: "llm",
      prompt: "Say more",
      context_policy: { max_artifacts: 1 },
      model_policy: { session_id: "talk" },
    }),
    result: (index) => says(index, 100),
  },
  { what: "map of data", graph: mapOf({}), result: () => ({}) },
  { what: "map of function branches", graph: mapOf(FUNCTION), result: (index) => says(index, 100) },
  {
    what: "map of model branches",
    graph: mapOf({ mode: "llm", prompt: "Say something about it" }),
    result: (index) => says(index, 100),
  },
];

const advance = (shell: RunShell, complete?: { attempt_token: string; result: JsonObject }): AdvanceReply => {
  const live_attempts = shell.state?.open.map((unit) => unit.attempt_token) ?? [];
  const answer = shell.execute({ type: "advance", live_attempts, ...(complete === undefined ? {} : { complete }) });
  if (!answer.ok || answer.reply.type !== "advance") throw new Error(JSON.stringify(answer));
  return answer.reply.advance;
};

/** Makes the run on the database and says how many stages and branches it executed. */
const make = ({ shell }: RunFixture, { graph, options, result }: Subject): number => {
  shell.execute(createRun(graph, { options: { max_steps: STAGES, ...options } }));
  let executed = 0;
  for (let reply = advance(shell); reply.next !== null || reply.more === true;) {
    if (reply.next === null) reply = advance(shell);
    else {
      reply = advance(shell, { attempt_token: reply.next.attempt_token, result: result(executed) });
      executed += 1;
    }
  }
  return executed;
};

/** The heap in use once nothing of what was done before is on the stack any more. */
const heapMb = async (): Promise<number> => {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error("start this with --expose-gc");
  for (let pass = 0; pass < 4; pass++) {
    await new Promise((resolve) => setImmediate(resolve));
    gc();
  }
  return process.memoryUsage().heapUsed / 1_048_576;
};

const rounded = (value: number): number => Math.round(value * 10) / 10;

const journalMb = (store: SqliteStore): number => {
  const sum = "SELECT coalesce(sum(length(events)), 0) AS bytes FROM";
  const [main] = store.query(`${sum} journal`);
  const hasParts = store.query("SELECT 1 AS found FROM sqlite_master WHERE name = 'journal_part'").length > 0;
  const [parts] = hasParts ? store.query(`${sum} journal_part`) : [{ bytes: 0 }];
  return (Number(main?.["bytes"]) + Number(parts?.["bytes"])) / 1_048_576;
};

const measure = async (subject: Subject): Promise<number> => {
  const store = sqliteStore();
  const executed = make(runFixture(store), subject);
  const before = await heapMb();
  const started = performance.now();
  const { shell } = runFixture(store);
  const status = shell.state?.status;
  const load_ms = Math.round(performance.now() - started);
  const heap_mb = rounded((await heapMb()) - before);
  const facts = {
    what: subject.what,
    stages: Math.max(executed, STAGES),
    heap_mb,
    journal_mb: rounded(journalMb(store)),
    load_ms,
  };
  process.stdout.write(`${JSON.stringify({ ...facts, status: shell.state?.status ?? status })}\n`);
  return heap_mb;
};

let heaviest = 0;
for (const subject of SUBJECTS) heaviest = Math.max(heaviest, await measure(subject));
process.stdout.write(
  `${JSON.stringify({ what: "target", target_mb: TARGET_MB, heaviest_mb: heaviest, met: heaviest < TARGET_MB })}\n`,
);
if (heaviest >= TARGET_MB) process.exitCode = 1;
