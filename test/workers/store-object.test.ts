import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { objectStore } from "../../durable-objects/storage/object-store.ts";
import { describeStore } from "../contract/store.ts";

let count = 0;

describeStore("durable object", async (body) => {
  const stub = env.WORKFLOW_RUN.getByName(`contract/store-${(count += 1)}`);
  await runInDurableObject(stub, async (_instance, { storage }) => {
    await body({ store: objectStore(storage), alarmAt: () => storage.getAlarm() });
  });
});
