import { err } from "../lib/result.ts";
import type { Runner } from "./runner.ts";

/** A runner for stages that are not executed here: every plan fails with this message. */
export const unavailableRunner = (message: string): Runner => ({
  run: async () => err({ category: "generic", message }),
  explain: () => ({ category: "generic", message }),
});
