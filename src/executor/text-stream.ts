import type { Redactor } from "./redaction.ts";
import type { StageJournal } from "../ports/stage-journal.ts";

/** The shortest time between two pieces of live text. */
const INTERVAL_MS = 100;

/** Live text of one model turn, in pieces of at most ten a second. */
export interface TextStream {
  readonly add: (text: string) => void;
  /** Sends what is held back. */
  readonly flush: () => void;
}

/** A stream of text to the journal, without secrets. */
export const createTextStream = (
  iteration: number,
  journal: StageJournal,
  { redactor, now }: { readonly redactor: Redactor; readonly now: () => number },
): TextStream => {
  let held = "";
  let sentAt = Number.NEGATIVE_INFINITY;
  const flush = (): void => {
    if (held === "") return;
    const text = redactor.text(held);
    held = "";
    sentAt = now();
    journal.stream({ iteration, text });
  };
  return {
    add: (text) => {
      held += text;
      if (now() - sentAt >= INTERVAL_MS) flush();
    },
    flush,
  };
};
