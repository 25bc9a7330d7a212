import { expect, it } from "vitest";
import { QueueShell } from "../../../durable-objects/shell/queue-shell.ts";
import { sqliteStore } from "../../../durable-objects/storage/sqlite-store.ts";
import { DEFAULT_POLICY } from "../../../src/engine/work-queue/policy.ts";

const RESULT = "x".repeat(250_000);

it("[T-16.3] a look into a queue shows as many of the newest jobs as fit into one answer", () => {
  let ids = 0;
  const context = () => ({ now: 1_000_000, nextId: (prefix: string) => `${prefix}_${(ids += 1)}` });
  const shell = new QueueShell({ store: sqliteStore(), context, policy: DEFAULT_POLICY, objectId: "q" });
  const labels = { tenant: null, binding_key: null, trigger_id: null };
  for (let n = 0; n < 40; n++) {
    const job_id = `j${n}`;
    shell.enqueue({ job_id, payload: null, priority: "normal", labels, max_deliveries: null, target: null });
    shell.claim({ consumer_id: "c", ttl_ms: 1_000, claim_id: `c${n}` });
    expect(shell.tell(job_id, { type: "ack", claim_id: `c${n}`, result: RESULT }).ok).toBe(true);
  }
  const shown = shell.jobs(null, 200);
  expect(shown.slice(0, 3).map(({ job_id }) => job_id)).toEqual(["j39", "j38", "j37"]);
  expect(shown.length).toBeGreaterThan(10);
  expect(JSON.stringify(shown).length).toBeLessThan(8_000_000);
  expect(shell.jobs("acked", 2)).toHaveLength(2);
  expect(shell.jobs("open", 2)).toEqual([]);
});
