import { liveObjectLimit } from "./descriptors.ts";
import type { RecoverReply } from "./control/message.ts";
import type { Log } from "./log.ts";
import type { Ask } from "./migrations.ts";
import { pendingObjects } from "./pending-alarms.ts";
import { recentObjects } from "./recent-objects.ts";

/** A class of Durable Objects and the name it is bound to. */
export interface ObjectClass {
  readonly binding: string;
  readonly className: string;
}

/** Objects of a class. */
export interface ObjectList {
  readonly binding: string;
  readonly ids: readonly string[];
}

/** What an earlier process left behind. */
export interface LostWork {
  /** Objects that have something to do, and may have lost the driver that did it. */
  readonly unfinished: readonly ObjectList[];
  /** Objects without work, whose last words to the lists may have been lost. */
  readonly recent: readonly ObjectList[];
}

/** Work that is due later than this has no driver that could have died: a timer or a wait, which the alarm looks after. */
const HORIZON_MS = 3_600_000;

/** However much is waiting, this is what is woken by hand; the rest comes back by its alarms. */
const MOST = 5_000;

const CONCURRENCY = 16;

/** What an earlier process left behind, read from its state directory; half of the objects that fit at most. */
export const findLostWork = (
  from: { readonly state: string; readonly worker: string; readonly classes: readonly ObjectClass[] },
  log: Log,
): LostWork => {
  const { state, worker } = from;
  const limit = Math.floor(Math.min(MOST, (liveObjectLimit() ?? MOST) / 2) / Math.max(1, from.classes.length));
  const until = Date.now() + HORIZON_MS;
  const found = from.classes.map(({ binding, className }) => {
    const query = { state, worker, className, limit };
    const unfinished = pendingObjects({ ...query, until }, log).map(({ id }) => id);
    const known = new Set(unfinished);
    return { binding, unfinished, recent: recentObjects(query).filter((id) => !known.has(id)) };
  });
  return {
    unfinished: found.map(({ binding, unfinished: ids }) => ({ binding, ids })),
    recent: found.map(({ binding, recent: ids }) => ({ binding, ids })),
  };
};

/** Tells objects that their drivers and queues are gone, so that they go on at once; answers how many were told. */
export const recoverWork = async (lost: readonly ObjectList[], ask: Ask, log: Log): Promise<number> => {
  let total = 0;
  for (const { binding, ids } of lost) {
    if (ids.length === 0) continue;
    const reply = await ask<RecoverReply>({ type: "recover", binding, ids, concurrency: CONCURRENCY });
    total += reply.recovered;
    if (reply.failed > 0) {
      log.write("warn", "objects could not be told to go on; their alarms bring them back within 15 s", {
        binding,
        objects: reply.failed,
        reason: reply.reason ?? "",
      });
    }
  }
  return total;
};
