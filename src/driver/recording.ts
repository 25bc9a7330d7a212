import type { RecordedPage, Recording } from "../engine/replay/next-stage.ts";

/** Reads recorded stages of a run. */
export type ReadRecording = (wanted: Recording) => Promise<RecordedPage>;

/** Stages handed to a replay at once: what it walks in one command (architecture 3). */
const STAGES_AT_ONCE = 150;

/** Characters of stages handed over at once: they become one entry of the journal. */
const CHARACTERS_AT_ONCE = 2_000_000;

const holds = (page: RecordedPage, from: number): boolean => page.from <= from && from < page.from + page.stages.length;

/** The beginning of a page from a position on, as much as one command takes. */
const portionOf = ({ from, stages, total, queues, tools }: RecordedPage, position: number): RecordedPage => {
  const portion: RecordedPage["stages"][number][] = [];
  let characters = 0;
  for (const stage of stages.slice(position - from, position - from + STAGES_AT_ONCE)) {
    characters += JSON.stringify(stage).length;
    if (portion.length > 0 && characters > CHARACTERS_AT_ONCE) break;
    portion.push(stage);
  }
  const first = position - from;
  return {
    from: position,
    stages: portion,
    total,
    ...(queues === undefined ? {} : { queues: queues.slice(first, first + portion.length) }),
    ...(tools === undefined ? {} : { tools: callsOf(tools, portion) }),
  };
};

const callsOf = (tools: NonNullable<RecordedPage["tools"]>, stages: RecordedPage["stages"]) =>
  Object.fromEntries(stages.flatMap(({ id }) => (tools[id] === undefined ? [] : [[id, tools[id]]])));

/**
 * Feeds a replay: keeps the page that was read last and hands it over in portions. A page without the wanted stage means
 * that the recording ends there.
 */
export const feedRecording = (read: ReadRecording): ReadRecording => {
  let page: RecordedPage | null = null;
  return async (wanted) => {
    if (page === null || !holds(page, wanted.from)) page = await read(wanted);
    return holds(page, wanted.from)
      ? portionOf(page, wanted.from)
      : { from: wanted.from, stages: [], total: wanted.from };
  };
};
