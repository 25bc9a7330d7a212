import { MachineShell } from "../../durable-objects/shell/machine-shell.ts";
import { JOURNALED } from "../../durable-objects/migrations/journaled.ts";
import type { Migration } from "../../durable-objects/migrations/migration.ts";
import type { Store } from "../../durable-objects/storage/store.ts";
import { type Machine, reject } from "../../src/engine/machine.ts";

export interface Toy {
  readonly texts: readonly string[];
  readonly wake_at: number | null;
}

export type ToyCommand =
  /** Adds a text unless it is there; answers how many there are. */
  | { readonly type: "say"; readonly text: string; readonly effects?: readonly string[] }
  | { readonly type: "wake_at"; readonly at: number | null }
  | { readonly type: "refuse" };

export type ToyEvent =
  | { readonly type: "said"; readonly text: string }
  | { readonly type: "wake_set"; readonly at: number | null };

export const toyMachine: Machine<Toy, ToyCommand, ToyEvent, string, number> = {
  initial: { texts: [], wake_at: null },
  evolve: (state, event) =>
    event.type === "said" ? { ...state, texts: [...state.texts, event.text] } : { ...state, wake_at: event.at },
  decide: (state, command) => {
    if (command.type === "refuse") return reject("invalid_transition", "refused");
    if (command.type === "wake_at")
      return { ok: true, events: [{ type: "wake_set", at: command.at }], effects: [], reply: state.texts.length };
    const isKnown = state.texts.includes(command.text);
    return {
      ok: true,
      events: isKnown ? [] : [{ type: "said", text: command.text }],
      effects: command.effects ?? [],
      reply: state.texts.length + (isKnown ? 0 : 1),
    };
  },
};

export type ToyShell = MachineShell<Toy, ToyCommand, ToyEvent, string, number>;

export interface ToyOptions {
  readonly migrations?: readonly Migration[];
  readonly reducer_version?: number;
  readonly now?: () => number;
}

/** A real shell around a machine that is as simple as can be; its head holds the whole state. */
export const toyShell = (store: Store, options: ToyOptions = {}): ToyShell =>
  new MachineShell(
    {
      machine: toyMachine,
      store,
      migrations: options.migrations ?? JOURNALED,
      reducerVersion: options.reducer_version ?? 1,
      headOf: (state) => ({ texts: state.texts, wake_at: state.wake_at }),
      wakeAt: (state) => state.wake_at,
      context: () => ({ now: options.now?.() ?? 1_000, nextId: (prefix) => prefix }),
      objectId: "toy",
    },
    () => {},
  );
