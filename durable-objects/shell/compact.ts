import { fold, type Machine } from "../../src/engine/machine.ts";
import { isMigrated, type Migration } from "../migrations/migration.ts";
import type { Store } from "../storage/store.ts";
import { appendEntry, readEntries } from "./journal.ts";
import { nextEffectAt } from "./outbox.ts";

/** What compacting a journal needs to know of an object. */
interface Compaction<State, Event> {
  readonly machine: Pick<Machine<State, unknown, Event, unknown, unknown>, "initial" | "evolve">;
  readonly migrations: readonly Migration[];
  /** An event that alone leads to the state. */
  readonly snapshot: (state: State) => Event;
  /** Shorter journals are left alone. */
  readonly above: number;
}

/**
 * Replaces a long journal by one entry that holds what it folds to, in one transaction; for objects that live for ever and
 * whose history nobody reads. Call it before the shell has loaded.
 *
 * Nothing is done while effects are outstanding: their ids name journal entries (I4). A journal with a gap is left as it
 * is, for the shell to refuse.
 */
export const compactJournal = <State, Event>(store: Store, compaction: Compaction<State, Event>): void => {
  const { machine, migrations, snapshot, above } = compaction;
  if (!isMigrated(store, migrations)) return;
  const [length] = store.query("SELECT max(seq) AS last, count(*) AS entries FROM journal");
  if (Number(length?.["last"]) <= above || length?.["last"] !== length?.["entries"]) return;
  if (nextEffectAt(store) !== null) return;
  const entries = readEntries<Event>(store);
  const state = fold(
    machine,
    machine.initial,
    entries.flatMap(({ events }) => events),
  );
  const at_ms = entries.at(-1)?.at_ms ?? 0;
  store.transaction(() => {
    store.write("DELETE FROM journal");
    if (store.query("SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'journal_part'").length > 0)
      store.write("DELETE FROM journal_part");
    appendEntry(store, { seq: 1, at_ms, events: [snapshot(state)] });
    store.write("UPDATE head SET seq = 1 WHERE id = 1");
  });
};
