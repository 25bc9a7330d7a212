import { describe, expect, it } from "vitest";
import { RUN } from "../../../durable-objects/migrations/journaled.ts";
import { MachineShell } from "../../../durable-objects/shell/machine-shell.ts";
import { settleEffect } from "../../../durable-objects/shell/outbox.ts";
import { sqliteStore } from "../../../durable-objects/storage/sqlite-store.ts";
import type { MailboxRequest } from "../../../src/engine/mailbox/command.ts";
import { mailboxMachine, mailboxWake } from "../../../src/engine/mailbox/machine.ts";
import { mailboxHead } from "../../../src/engine/mailbox/view.ts";
import { signal, waits } from "../../support/mailbox-fixture.ts";

const openBox = () => {
  const store = sqliteStore();
  const shell = new MachineShell(
    {
      machine: mailboxMachine,
      store,
      migrations: RUN,
      reducerVersion: 1,
      headOf: mailboxHead,
      wakeAt: mailboxWake,
      context: () => ({ now: 1_000, nextId: (prefix) => `${prefix}1` }),
      objectId: "box",
    },
    () => {},
  );
  const rowsOf = (write: () => unknown): number => {
    const before = store.rowsWritten();
    write();
    return store.rowsWritten() - before;
  };
  const ask = (request: MailboxRequest): number =>
    rowsOf(() => shell.execute({ ...request, mailbox: { tenant: "t", workflow_id: "wf" } }));
  return { store, shell, ask, rowsOf };
};

describe("what a message costs its mailbox", () => {
  it("[architecture 2] one row when it is sent, one when it is received, whatever was sent before", () => {
    const { store, ask } = openBox();
    ask(signal("first"));
    for (let i = 0; i < 50; i++) expect(ask(signal("a", i))).toBe(1);
    expect(ask({ type: "receive" })).toBe(1);
    expect(ask(waits("s", "b"))).toBe(1);
    expect(ask(waits("s", "b"))).toBe(0);
    store.close();
  });

  it("[architecture 2] four rows in all when a stage hears it: sent, handed over, confirmed, settled", () => {
    const { store, shell, ask, rowsOf } = openBox();
    ask(waits("first"));
    ask(signal("a"));
    ask(waits("s"));
    const sent = ask(signal("a"));
    const of = { seq: 2, run_id: "run-s", stage_id: "s" };
    const confirmed = rowsOf(() => shell.execute({ type: "confirm_delivery", ...of }));
    const settled = rowsOf(() => settleEffect(store, `box:${shell.seq - 1}:0`));
    expect({ sent, confirmed, settled }).toEqual({ sent: 2, confirmed: 1, settled: 1 });
    store.close();
  });
});
