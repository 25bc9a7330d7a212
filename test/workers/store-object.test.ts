import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { recallReply, rememberReply } from "../../durable-objects/shell/idempotency.ts";
import { objectStore } from "../../durable-objects/storage/object-store.ts";
import { describeStore } from "../contract/store.ts";

let count = 0;

describeStore("durable object", async (body) => {
  const stub = env.WORKFLOW_RUN.getByName(`contract/store-${(count += 1)}`);
  await runInDurableObject(stub, async (_instance, { storage }) => {
    await body({ store: objectStore(storage), alarmAt: () => storage.getAlarm() });
  });
});

it("[I5] a reply that is longer than a row of the platform may be is remembered whole", async () => {
  const stub = env.WORKFLOW_RUN.getByName(`contract/store-${(count += 1)}`);
  await runInDurableObject(stub, (_instance, { storage }) => {
    const store = objectStore(storage);
    const reply = { text: "long\u{1f600}".repeat(500_000) };
    const key = { key: "k", request_digest: "d" };
    expect(recallReply(store, key)).toBeNull();
    storage.transactionSync(() => rememberReply(store, key, reply));
    storage.transactionSync(() => rememberReply(store, { ...key, key: "short" }, 1));
    expect(recallReply(store, key)).toEqual({ ok: true, reply });
    for (const row of store.query("SELECT length(CAST(reply AS BLOB)) AS bytes FROM idempotency"))
      expect(row["bytes"]).toBeLessThan(2_000_000);
    expect(recallReply(store, { ...key, key: "short" })).toEqual({ ok: true, reply: 1 });
  });
});
