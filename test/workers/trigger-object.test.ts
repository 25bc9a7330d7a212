import type { Answer } from "../../src/engine/machine.ts";
import { env } from "cloudflare:workers";
import { createExecutionContext, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import type { EventAnswer, Trigger } from "../../durable-objects/trigger.ts";
import { PROVEN } from "../../src/connectors/connector.ts";
import { github } from "../../src/connectors/github.ts";
import type { TriggerObject } from "../../src/http/trigger-object.ts";
import { dispatchOne } from "../../src/queue/dispatch.ts";
import { type NormalisedEvent } from "../../src/schema/trigger.ts";
import { triggerDefinitionSchema } from "../../src/schema/trigger-definition.ts";
import { migrateDatabase } from "./http-setup.ts";
import { defineWorkflow, endedRun, eventIn, get, ISSUE_OPENED, objectOf, put, SECRET } from "./trigger-setup.ts";

beforeAll(async () => {
  await migrateDatabase();
  await defineWorkflow();
});

const normalised = async (id: string, body: string): Promise<NormalisedEvent> => {
  const headers = { "x-github-event": "issues", "x-github-delivery": id };
  const bytes = new TextEncoder().encode(body);
  const request = { method: "POST", path: "/", headers, body: bytes, now: Date.now(), secrets: [] };
  const event = await github.normalise(request, {}, PROVEN);
  if (!event.ok) throw new Error(event.error.message);
  return event.value;
};

/** What a test reaches of an instance. */
interface Inside {
  store: { write: (sql: string, ...bindings: unknown[]) => number; setAlarm: (at: number | null) => void };
  env: object;
}

/** Runs in the object while every message to the queue is lost, and counts the rows that are written. */
const within = <T>(id: string, body: (trigger: Trigger, rows: () => number) => T): Promise<T> =>
  runInDurableObject<DurableObject, T>(objectOf(id) as DurableObjectStub, async (object) => {
    const instance = object as Trigger;
    const inside = object as unknown as Inside;
    const { store, env: whole } = inside;
    const { write, setAlarm } = store;
    let rows = 0;
    // The shell holds the same store.
    Object.assign(store, {
      write: (sql: string, ...bindings: unknown[]) => {
        const written = write(sql, ...bindings);
        rows += written;
        return written;
      },
      setAlarm: (at: number | null) => {
        rows += 1;
        setAlarm(at);
      },
    });
    inside.env = { ...whole, DISPATCH_QUEUE: { sendBatch: () => Promise.resolve() } };
    try {
      return await body(instance, () => {
        const counted = rows;
        rows = 0;
        return counted;
      });
    } finally {
      Object.assign(store, { write, setAlarm });
      inside.env = whole;
    }
  });

const replyOf = (answer: Answer<EventAnswer> | "stale"): EventAnswer => {
  if (answer === "stale" || !answer.ok) throw new Error(JSON.stringify(answer));
  return answer.reply;
};

/** What a delivery says of a trigger that was put once. */
const FIRST = { tenant: "default", version: 1 } as const;

const acceptLost = async (trigger: string, key: string, body = ISSUE_OPENED): Promise<EventAnswer> => {
  const event = await normalised(key, body);
  return within(trigger, (instance) => replyOf(instance.accept({ ...FIRST, event })));
};

describe("rows", () => {
  it("[T-7.1] an accepted event writes three rows at most, a duplicate none, and its dispatch three", async () => {
    await put("rows");
    const [first, second] = await Promise.all(["1", "2"].map((id) => normalised(id, ISSUE_OPENED)));
    const counts = await within("rows", (trigger, rows) => {
      const take = (event: NormalisedEvent): EventAnswer => replyOf(trigger.accept({ ...FIRST, event }));
      rows();
      take(first as NormalisedEvent);
      const accepted = rows();
      const again = take(first as NormalisedEvent);
      const duplicate = rows();
      take(second as NormalisedEvent);
      const next = rows();
      const { order } = replyOf(trigger.dispatch("1"));
      const dispatched = rows();
      const dispatch_id = order?.type === "handle" ? order.call.dispatch_id : "";
      trigger.settle("1", { dispatch_id, attempt: 1, outcome: { type: "succeeded", result: null } });
      return { accepted, duplicate, next, dispatched, settled: rows(), is_duplicate: again.reply };
    });
    // Event, waker, alarm; the second event finds the alarm set.
    expect(counts).toMatchObject({ accepted: 3, duplicate: 0, next: 2, dispatched: 1, settled: 2 });
    expect(counts.is_duplicate).toMatchObject({ duplicate: true });
  });

  it("[T-20.2] no row of a large event comes near the platform's limit, and its handling rewrites one row", async () => {
    await put("large");
    const text = '"\\u0001é🙂'.repeat(60_000);
    const body = JSON.stringify({ action: "opened", issue: { body: text }, text });
    const { row } = await acceptLost("large", "big", body);
    const rows = await within("large", (trigger, written) => {
      written();
      trigger.dispatch("big");
      return written();
    });
    expect(rows).toBe(1);
    const event = await objectOf("large").event("big", row.event_id);
    expect(event?.event.provider_payload["raw"]).toEqual(JSON.parse(body));
    const longest = await runInDurableObject(objectOf("large"), (_instance, { storage }) =>
      storage.sql.exec("SELECT max(octet_length(payload)) AS bytes, count(*) AS parts FROM event_part").one(),
    );
    expect(Number(longest["parts"])).toBeGreaterThan(1);
    expect(Number(longest["bytes"])).toBeLessThan(2_000_000);
  });

  it("[T-19.1] refusals write rows by the logarithm of their number", async () => {
    await put("flooded");
    const rows = await within("flooded", (trigger, written) => {
      written();
      for (let i = 0; i < 1_000; i += 1) trigger.refuse("invalid_signature", "signature did not match");
      return written();
    });
    // Counters of two minutes at most, should the minute have passed meanwhile.
    expect(rows).toBeLessThanOrEqual(22);
    const shown = await objectOf("flooded").show();
    expect(shown?.trigger.rejections.reduce((sum, one) => sum + one.count, 0)).toBe(1_000);
  });

  it("[T-26.2] an unknown trigger gets no storage", async () => {
    const stub = objectOf("nobody");
    await stub.refuse("invalid_signature", "x");
    expect(await stub.binding()).toBeNull();
    await stub.recover();
    expect((await stub.dispatch("x")).ok).toBe(false);
    const size = await runInDurableObject(stub, (_instance, { storage }) =>
      storage.sql.exec("SELECT count(*) AS tables FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'").one(),
    );
    expect(size["tables"]).toBe(0);
  });
});

/** Everything the object of the test below has stored. */
const dump = (): Promise<Record<string, string>> =>
  runInDurableObject(objectOf("secret"), (_instance, { storage }) => {
    const rows = (table: string): string => JSON.stringify(storage.sql.exec(`SELECT * FROM ${table}`).toArray());
    return Object.fromEntries(["journal", "head", "outbox", "event", "secret"].map((table) => [table, rows(table)]));
  });

describe("secrets", () => {
  it("[T-5.9] the sealed secret is in one row of a table of its own, and gone when it is replaced or the trigger deleted", async () => {
    await put("secret");
    const { secret = "" } = await dump();
    expect(secret).toMatch(/"sealed":"v1\.[0-9a-f]{8}\./);
    expect(secret).not.toContain(SECRET);
    await put("secret", { secret: "another one" });
    const replaced = (await dump())["secret"] ?? "";
    expect(JSON.parse(replaced)).toHaveLength(1);
    expect(replaced).not.toBe(secret);
    await objectOf("secret").control("delete");
    expect((await dump())["secret"]).toBe("[]");
  });

  it("[T-6.1] a delivery that was verified under an earlier version or an earlier secret is not accepted", async () => {
    await put("stale");
    const first = await objectOf("stale").binding();
    await put("stale", { secret: "new" });
    const event = await normalised("1", ISSUE_OPENED);
    const stale = objectOf("stale");
    expect(await stale.accept({ ...FIRST, secrets_tag: first?.secrets_tag ?? "", event })).toBe("stale");
    const second = await stale.binding();
    expect(second).toMatchObject({ version: 1, has_secret: true });
    const secrets_tag = second?.secrets_tag ?? "";
    await put("stale", { secret: "new", match: {} });
    expect(await stale.accept({ ...FIRST, secrets_tag, event })).toBe("stale");
    expect(await stale.accept({ ...FIRST, version: 2, secrets_tag, event })).toMatchObject({ ok: true });
  });

  it("[T-6.2] what the owner of a trigger is refused leaves its secret as it is", async () => {
    await put("owned");
    const stolen = { provider: "github", secret: "stolen", handler: { workflow: "triage" } };
    const written = triggerDefinitionSchema.parse(stolen);
    const before = await objectOf("owned").binding();
    const given = {
      source: "manifest",
      tenant: "default",
      code_version: null,
      secret: { sealed: "v1.00000000.stolen", digests: ["00000000.stolen"] },
    } as const;
    expect(await objectOf("owned").configure("owned", written, given)).toMatchObject({ ok: false });
    expect(await objectOf("owned").binding()).toEqual(before);
  });
});

const dispatched = async (answer: EventAnswer): Promise<string> => {
  const event = await eventIn(answer.row.event_id, "dispatched");
  expect(event.attempts).toMatchObject([{ attempt: 1, outcome: "success" }]);
  expect((await endedRun(event.runs[0] ?? ""))["status"]).toBe("completed");
  return event.runs[0] ?? "";
};

const died = (): never => {
  throw new Error("died");
};

describe("crashes", () => {
  it("[T-26.2] the alarm brings back an event whose message was lost, also after an eviction", async () => {
    await put("lost");
    const answer = await acceptLost("lost", "1");
    await evictDurableObject(objectOf("lost"));
    await dispatched(answer);
    const left = await runInDurableObject(objectOf("lost"), (_instance, { storage }) =>
      storage.sql.exec("SELECT count(*) AS messages FROM outbox").one(),
    );
    expect(left["messages"]).toBe(0);
  }, 20_000);

  it("[T-26.2] recovery sends everything pending at once, after the object was aborted", async () => {
    await put("aborted");
    const answers = [await acceptLost("aborted", "1"), await acceptLost("aborted", "2")];
    // Without its alarm the object has nothing but the recovery to bring it back.
    await runInDurableObject(objectOf("aborted"), (_instance, { storage }) => storage.deleteAlarm());
    const abort = runInDurableObject(objectOf("aborted"), (_instance, state) => state.abort("crash"));
    await expect(abort).rejects.toThrow("crash");
    await objectOf("aborted").recover();
    const runs = await Promise.all(answers.map(dispatched));
    expect(new Set(runs).size).toBe(2);
  }, 20_000);

  it.each(["dispatch", "run", "settle"])(
    "[T-26.2] a dispatcher that dies after `%s` starts no second run",
    async (step) => {
      const id = `dies-${step}`;
      await put(id);
      const answer = await acceptLost(id, "1");
      const request = {
        v: 1,
        tenant: "default",
        trigger_id: id,
        event_id: answer.row.event_id,
        dedupe_key: "1",
      } as const;
      const context = createExecutionContext();
      const trigger = {
        dispatch: (key: string) => objectOf(id).dispatch(key),
        settle: async (...args: Parameters<TriggerObject["settle"]>) => {
          if (step === "settle") await objectOf(id).settle(...args);
          died();
        },
      };
      const database = step === "dispatch" ? { DB: { prepare: died } } : {};
      const broken = { ...env, TRIGGER: { getByName: () => trigger }, ...database } as unknown as Env;
      await expect(dispatchOne(broken, context, request)).rejects.toThrow("died");
      await dispatchOne(env as Env, context, request);
      await dispatchOne(env as Env, context, request);
      const event = await objectOf(id).event("1", answer.row.event_id);
      expect(event).toMatchObject({ status: "dispatched", attempts: [{ attempt: 1, outcome: "success" }] });
      // The run of a dispatcher that died has a driver only when its lease is over, or when it is told of the death.
      const run = env.WORKFLOW_RUN.getByName(`default/${event?.run_id}`) as unknown as { recover: () => Promise<void> };
      await run.recover();
      expect((await endedRun(event?.run_id ?? ""))["status"]).toBe("completed");
      const list = await (await get(`/v1/runs?trigger_id=${id}`)).json<{ items: unknown[] }>();
      expect(list.items.length).toBeLessThanOrEqual(1);
    },
    20_000,
  );
});
