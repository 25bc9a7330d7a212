import type { WorkerEvent } from "./event.ts";
import type { Worker, WorkerListener, WorkerSuspension } from "./state.ts";

type Changed = Extract<WorkerEvent, { readonly type: "listener_changed" }>;

const withListeners = (worker: Worker, listeners: readonly WorkerListener[]): Worker => {
  const { listeners: _before, ...rest } = worker;
  return listeners.length === 0 ? rest : { ...rest, listeners };
};

const ordered = ({ auto_resume_trigger, suspended_at, conditions }: WorkerSuspension): readonly WorkerListener[] =>
  auto_resume_trigger === null
    ? []
    : [{ id: auto_resume_trigger.id, suspended_at, conditions: conditions ?? {}, state: "ordered" }];

const withoutHeard = (worker: Worker): Worker => {
  const { heard: _heard, ...rest } = worker;
  return rest;
};

const idOf = (suspension: WorkerSuspension | null): string | null => suspension?.auto_resume_trigger?.id ?? null;

/** What is to listen follows the suspension (W4): it is ordered with one, and leaves with its end. */
export const followSuspension = (before: Worker | null, after: Worker): Worker => {
  const next = after.suspension === null && after.heard !== undefined ? withoutHeard(after) : after;
  const { suspension, listeners = [] } = next;
  if (idOf(before?.suspension ?? null) === idOf(suspension)) return next;
  const leaving = listeners.map((one) => ({ ...one, state: "leaving" as const }));
  return withListeners(next, [...leaving, ...(suspension === null ? [] : ordered(suspension))]);
};

/** Folds what became of a listener. One that was set up although nobody wants it any more has to leave. */
export const listenerChanged = (worker: Worker, { id, to, problem }: Changed): Worker => {
  const { listeners = [] } = worker;
  if (to === "gone")
    return withListeners(
      worker,
      listeners.filter((one) => one.id !== id),
    );
  const change = { state: to, ...(problem === undefined ? {} : { problem }) };
  const known = listeners.some((one) => one.id === id);
  const stray = { id, suspended_at: "", conditions: { trigger: {} }, state: to };
  const next = known ? listeners.map((one) => (one.id === id ? { ...one, ...change } : one)) : [...listeners, stray];
  return withListeners(worker, next);
};

/** Listeners of which it is not known that they are as they should be. */
export const owedListeners = ({ listeners = [] }: Pick<Worker, "listeners">): readonly WorkerListener[] =>
  listeners.filter(({ state }) => state === "ordered" || state === "leaving");
