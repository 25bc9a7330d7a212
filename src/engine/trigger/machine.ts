// One accepted event; an instance for each dedupe key of a trigger, and for each replay (spec/triggers 7, 8, 12).
//
//   (absent) --accept--> accepted --admit--> accepted, admitted --attempt--> dispatching --settle--> dispatched
//       \                 |  ^ \                    ^                          |    |
//        \                |  |  +--> parked, deferred, waiting (a person)      |    +--> failed, cancelled, dead_lettered
//         +--> skipped <--+  +---------- their time or answer comes            |
//                                                   +---- retrying <-----------+
//
// E1 The first accept decides; every later one gets the same receipt and changes nothing.
// E2 An open event has a waker: a row of the outbox that says when it is looked after again.
// E3 Every attempt to start a run names the same run until one has ended, so a run starts at most once.
// E4 dispatched, skipped, failed, cancelled and dead_lettered are final.

import { type Context, type Machine } from "../machine.ts";
import { accept, acceptReplay } from "./accept.ts";
import { discard, endReplay } from "./dead-letter.ts";
import { decided } from "./decided.ts";
import type { EventCommand, EventEffect, EventEvent, EventReply, EventState } from "./event.ts";
import { evolve, isFinal } from "./evolve.ts";
import { admit, beginAttempt } from "./proceed.ts";
import { cancel, respond, settle } from "./settle.ts";

/** An accepted event, from its receipt to its end. */
export const eventMachine: Machine<EventState, EventCommand, EventEvent, EventEffect, EventReply> = {
  initial: { status: "absent" },
  decide: (state, command, context) => {
    switch (command.type) {
      case "accept":
        return accept(state, command, context);
      case "accept_replay":
        return acceptReplay(state, command, context);
      case "admit":
        return admit(state, command.admission, context);
      case "attempt":
        return beginAttempt(state, command, context);
      case "settle":
        return settle(state, command, context);
      case "cancel":
        return cancel(state, command, context);
      case "respond":
        return respond(state, command, context);
      case "note_replay":
        return decided(state, [{ type: "replay_noted", at: command.summary.requested_at, summary: command.summary }]);
      case "end_replay":
        return endReplay(state, command, context);
      case "discard":
        return discard(state, command, context);
    }
  },
  evolve,
};

/**
 * Whether the dedupe key of an event is free again: then the next delivery starts over from the initial state. An event
 * that is still on its way keeps its key (spec/triggers 7.1).
 */
export const claimIsExpired = (state: EventState, now: Context["now"]): boolean => {
  if (state.status === "absent" || !isFinal(state)) return false;
  // The rows of its replays are found by its key.
  if (state.replays.some(({ settled_at }) => settled_at === null)) return false;
  return state.claim_expires_at !== null && Date.parse(state.claim_expires_at) <= now;
};
