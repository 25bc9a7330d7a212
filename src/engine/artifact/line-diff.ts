import { diffArrays } from "diff";

/** Edits after which two texts count as wholly different: the search for fewer takes time with their square. */
const MAX_EDITS = 2_000;

const SIGNS = { same: " ", removed: "-", added: "+" } as const;

/** The lines of a text; the newline at its end begins no further one. */
const linesOf = (text: string): string[] => {
  if (text === "") return [];
  return (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n");
};

const signed = (sign: string, lines: readonly string[]): readonly string[] => lines.map((line) => sign + line);

/**
 * Two versions of a file as one unified text: every line, by Myers' algorithm, without hunks (spec/workflow 15.2).
 *
 * Beyond 2,000 edits the whole old text is followed by the whole new one.
 */
export const unifiedDiff = (path: string, before: string, after: string): string => {
  const old = linesOf(before);
  const fresh = linesOf(after);
  const changes = diffArrays(old, fresh, { maxEditLength: MAX_EDITS });
  const body =
    changes === undefined
      ? [...signed(SIGNS.removed, old), ...signed(SIGNS.added, fresh)]
      : changes.flatMap(({ removed, added, value }) =>
          signed(removed ? SIGNS.removed : added ? SIGNS.added : SIGNS.same, value),
        );
  return [`--- a/${path}`, `+++ b/${path}`, ...body, ""].join("\n");
};
