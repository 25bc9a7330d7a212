import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nextTick } from "../../../src/local/cron.ts";
import { liveObjectLimit } from "../../../src/local/descriptors.ts";
import { createLog } from "../../../src/local/log.ts";
import { pendingObjects } from "../../../src/local/pending-alarms.ts";
import { LocalProblem } from "../../../src/local/problem.ts";
import { recentObjects } from "../../../src/local/recent-objects.ts";
import { lockState } from "../../../src/local/state-lock.ts";

let state = "";
let lines: string[] = [];
const log = createLog({ json: false, level: "debug", out: (line) => lines.push(line) });

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "godwit-state-"));
  lines = [];
});
afterEach(() => rmSync(state, { recursive: true }));

const fileOf = (): string => {
  const file = join(state, "v3/do/godwit-WorkflowRun/metadata.sqlite");
  mkdirSync(dirname(file), { recursive: true });
  return file;
};

const keep = (sql: string): void => {
  const database = new DatabaseSync(fileOf());
  database.exec(sql);
  database.close();
};

const read = (until: number, limit = 10) =>
  pendingObjects({ state, worker: "godwit", className: "WorkflowRun", until, limit }, log);

const write = (name: string, secondsAgo: number): void => {
  const file = join(dirname(fileOf()), name);
  writeFileSync(file, "");
  const at = Date.now() / 1_000 - secondsAgo;
  utimesSync(file, at, at);
};
const id = (digit: string): string => digit.repeat(64);
const recent = (limit = 10) => recentObjects({ state, worker: "godwit", className: "WorkflowRun", limit });

describe("the alarms of an earlier process", () => {
  const TABLE =
    "CREATE TABLE _cf_ALARM (actor_id TEXT PRIMARY KEY, scheduled_time INTEGER, actor_name TEXT) WITHOUT ROWID;";

  it("are read soonest first, without those that are too far away, and not more than asked for", () => {
    keep(`${TABLE} INSERT INTO _cf_ALARM VALUES ('c', 1795201386506000000, 'x'), ('a', 1795201186506000000, 'y'),
      ('b', 1795201286506000000, NULL), ('far', 1795299999999000000, 'z')`);
    expect(read(1_795_201_400_000)).toEqual([
      { id: "a", due_at_ms: 1_795_201_186_506 },
      { id: "b", due_at_ms: 1_795_201_286_506 },
      { id: "c", due_at_ms: 1_795_201_386_506 },
    ]);
    expect(read(1_795_201_400_000, 1)).toHaveLength(1);
    expect(lines).toEqual([]);
  });

  it("are none in a state that is new", () => {
    expect(read(Date.now())).toEqual([]);
    expect(lines).toEqual([]);
  });

  it("are left to themselves, with a line in the log, where the runtime keeps them in another way", () => {
    keep("CREATE TABLE other (a)");
    expect(read(Date.now())).toEqual([]);
    expect(lines.join()).toContain("their alarms bring them back");
  });

  it("are left to themselves where the file is damaged", () => {
    writeFileSync(fileOf(), "this is no database, and long enough to be taken for one ".repeat(100));
    expect(read(Date.now())).toEqual([]);
    expect(lines).toHaveLength(1);
  });
});

describe("the objects an earlier process wrote to last", () => {
  it("are those with a write-ahead log of its last seconds, the latest first", () => {
    write(`${id("a")}.sqlite-wal`, 103);
    write(`${id("b")}.sqlite-wal`, 100);
    write(`${id("c")}.sqlite-wal`, 200);
    write(`${id("d")}.sqlite`, 100);
    write("metadata.sqlite-wal", 0);
    expect(recent()).toEqual([id("b"), id("a")]);
    expect(recent(1)).toEqual([id("b")]);
  });

  it("are none in a state that is new", () => {
    expect(recent()).toEqual([]);
  });
});

describe("a state directory", () => {
  it("belongs to one server at a time", () => {
    const lock = lockState(state);
    expect(() => lockState(state)).toThrow(LocalProblem);
    lock.release();
    lockState(state).release();
  });
});

describe("the local server", () => {
  it("calls the scheduled handler at whole five minutes", () => {
    expect(nextTick(Date.parse("2026-11-20T10:03:59Z"))).toBe(Date.parse("2026-11-20T10:05:00Z"));
    expect(nextTick(Date.parse("2026-11-20T10:05:00Z"))).toBe(Date.parse("2026-11-20T10:10:00Z"));
  });

  it("knows how many objects can be live", () => {
    expect(liveObjectLimit()).toSatisfy((limit) => limit === null || (limit as number) >= 0);
  });
});
