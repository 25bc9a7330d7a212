import type { StageFailure } from "../ports/stage-failure.ts";
import { AttemptLost, type StageJournal } from "../ports/stage-journal.ts";
import type { AgentStep } from "../schema/agent-step.ts";

/** A step could not be recorded, although the attempt may still be the current one. */
class JournalFault extends Error {
  readonly code = "journal_fault";

  constructor(cause: unknown) {
    super("a step of the stage could not be recorded", { cause });
    this.name = "JournalFault";
  }
}

const LOST = new AttemptLost().code;

// By its code: the class does not survive a call between objects.
const isLost = (cause: unknown): boolean => cause instanceof Error && "code" in cause && cause.code === LOST;

/** Commits a step where there is a journal; rejects when it could not be, and `journalFailure` then says why. */
export const recordStep = async (journal: StageJournal | undefined, step: AgentStep): Promise<void> => {
  await journal?.record(step).catch((cause: unknown) => {
    throw isLost(cause) ? new AttemptLost() : new JournalFault(cause);
  });
};

/** What a rejection of `recordStep` means for its stage; undefined for anything else that was thrown. */
export const journalFailure = (thrown: unknown): StageFailure | undefined => {
  if (thrown instanceof AttemptLost) return { category: "cancelled", message: thrown.message };
  return thrown instanceof JournalFault ? { category: "transient_network", message: thrown.message } : undefined;
};
