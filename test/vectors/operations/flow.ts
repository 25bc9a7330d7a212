import { parseDuration } from "../../../src/lib/duration.ts";
import { type Operations, textArg, valueOf } from "../operation.ts";

/** Flow control without a dispatcher (spec/triggers 5.1). */
export const flowOperations: Operations = {
  parse_duration: (_system, args) => ({ seconds: valueOf(parseDuration(textArg(args, "text"))) / 1_000 }),
};
