import { liveObjectLimit } from "./descriptors.ts";
import type { RecoverReply } from "./control/message.ts";
import type { Log } from "./log.ts";
import type { Ask } from "./migrations.ts";
import { pendingObjects } from "./pending-alarms.ts";

/** A class of Durable Objects and the name it is bound to. */
export interface ObjectClass {
  readonly binding: string;
  readonly className: string;
}

/** Objects of a class that may have lost a driver. */
export interface LostWork {
  readonly binding: string;
  readonly ids: readonly string[];
}

/** Work that is due later than this has no driver that could have died: a timer or a wait, which the alarm looks after. */
const HORIZON_MS = 3_600_000;

/** However much is waiting, this is what is woken by hand; the rest comes back by its alarms. */
const MOST = 5_000;

const CONCURRENCY = 16;

/** What an earlier process left unfinished, read from its state directory; half of the objects that fit at most. */
export const findLostWork = (
  from: { readonly state: string; readonly worker: string; readonly classes: readonly ObjectClass[] },
  log: Log,
): readonly LostWork[] => {
  const limit = Math.floor(Math.min(MOST, (liveObjectLimit() ?? MOST) / 2) / Math.max(1, from.classes.length));
  const until = Date.now() + HORIZON_MS;
  return from.classes.flatMap(({ binding, className }) => {
    const { state, worker } = from;
    const ids = pendingObjects({ state, worker, className, until, limit }, log).map(({ id }) => id);
    return ids.length === 0 ? [] : [{ binding, ids }];
  });
};

/** Tells the objects that their drivers are dead, so that they go on at once; answers how many were told. */
export const recoverWork = async (lost: readonly LostWork[], ask: Ask, log: Log): Promise<number> => {
  let total = 0;
  for (const { binding, ids } of lost) {
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
