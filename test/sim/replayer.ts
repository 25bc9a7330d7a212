import { replayRun } from "../../src/engine/replay/replay.ts";
import { Random } from "../support/random.ts";
import {
  addDescendant,
  decodeOptions,
  type Descent,
  DONE,
  keepJournal,
  readFrom,
  recordOf,
  sameOutcome,
  sameParts,
} from "./descend.ts";
import { createRun } from "./people.ts";
import { Process } from "./process.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

const REPLAY_ID = "run-3";

const LOOK_MS = 1_000;

/** Replays the first run once it is over, under a key: the replay comes to the same and calls nothing. */
export const replayFirst = async (world: World, { seed, seen }: Descent): Promise<void> => {
  const random = Random.named(seed, "replay");
  const process = new Process(world, "replayer", false);
  const original = world.first;
  while (!original.isOver) await process.sleep(LOOK_MS);
  await process.sleep(random.int(0, 5_000));
  const { source, record } = await readFrom(process, original, {
    name: "replay source",
    read: (object) => ({ source: object.replaySource(), record: recordOf(object) }),
  });
  if (source === null) throw new Violation("replay", "a run that is over cannot be replayed");
  keepJournal(original);
  seen(`replay of ${source.status}`);
  const made = replayRun(source, { tenant: "default", run_id: REPLAY_ID, decodeOptions });
  if (!made.ok) throw new Violation("replay", `the replay was refused: ${made.error.detail}`);
  const replay = addDescendant(world, REPLAY_ID, true);
  replay.create = made.value;
  world.atEnd.push(() => {
    const replayed = recordOf(replay.host.object());
    const { replayed_from: from, replay_mode: mode } = replayed.metadata;
    if (from !== original.id || mode !== "deterministic")
      throw new Violation("replay", `a replay has the origin ${JSON.stringify({ from, mode })}`);
    // The recording of a run that was ended from outside ends before the graph does.
    if (source.status === "completed" || source.status === "paused") sameOutcome(record, replayed, "replay");
    else sameParts([record, replayed], DONE, "replay");
    seen("replay compared");
  });
  await createRun(replay);
};
