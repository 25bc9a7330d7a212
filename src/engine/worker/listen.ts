import type { WorkerCommand } from "./command.ts";
import type { Draft, WorkerDecision } from "./draft.ts";
import { resumeBy } from "./resume.ts";
import type { Worker } from "./state.ts";
import { orderListeners } from "./suspend.ts";

type Told<Type> = Extract<WorkerCommand, { readonly type: Type }>;

/** What was ordered is there, or cannot be; one that came too late is sent away (spec/workers 18.2). */
export const decideListening = (draft: Draft, { trigger_id: id, problem }: Told<"listening">): WorkerDecision => {
  const known = draft.worker.listeners?.find((one) => one.id === id);
  if (known?.state === "ordered")
    draft.emit(
      problem === null
        ? { type: "listener_changed", id, to: "listening" }
        : { type: "listener_changed", id, to: "failed", problem },
    );
  else if (problem === null && known?.state !== "listening") {
    if (known?.state !== "leaving") draft.emit({ type: "listener_changed", id, to: "leaving" });
    orderListeners(draft);
  }
  return draft.decided();
};

/** What listened is gone. */
export const decideUnlistened = (draft: Draft, { trigger_id: id }: Told<"unlistened">): WorkerDecision => {
  const known = draft.worker.listeners?.find((one) => one.id === id);
  if (known?.state === "leaving") draft.emit({ type: "listener_changed", id, to: "gone" });
  return draft.decided();
};

const hears = ({ status, suspension }: Worker, { channel, suspended_at }: Told<"hear">): boolean =>
  status === "suspended" && suspension?.conditions?.on_event === channel && suspension.suspended_at === suspended_at;

/**
 * An event on a channel wakes whoever listened there (spec/workers 18.1; 30, 5). A worker that has not come to rest notes the
 * first one and is woken by it when it has.
 */
export const decideHear = (draft: Draft, command: Told<"hear">): WorkerDecision => {
  const { worker } = draft;
  const { input, trigger_event } = command;
  const answered = (heard: "resumed" | "noted" | "not_listening"): WorkerDecision => {
    const decision = draft.decided();
    return decision.ok ? { ...decision, reply: { ...decision.reply, heard } } : decision;
  };
  if (!hears(worker, command)) return answered("not_listening");
  if (worker.suspension?.quiesced_at != null) {
    resumeBy(draft, { input, trigger_event });
    return answered("resumed");
  }
  if (worker.heard === undefined) draft.emit({ type: "event_heard", heard: { input, trigger_event } });
  return answered("noted");
};
