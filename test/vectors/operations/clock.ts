import type { Operations } from "../operation.ts";

/** Time and the process. */
export const clockOperations: Operations = {
  set_clock: (system, args) => system.clock.set(args["at"]),
  advance_clock: (system, args) => system.advance(Number(args["ms"])),
  restart: (system) => system.restart(),
};
