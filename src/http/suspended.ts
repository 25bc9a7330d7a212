import { err, ok, type Result } from "../lib/result.ts";
import type { Call } from "./call.ts";
import { problem, type Problem } from "./problem.ts";
import { runNotFound } from "./run-object.ts";
import type { GatheredSnapshot } from "./unsettled.ts";
import { unsettledOf } from "./unsettled-ports.ts";

/** A snapshot in which every worker of the run is known, for decisions that suspended workers come before (spec/workers 21.9). */
export const suspendedOf = async (call: Call, runId: string): Promise<Result<GatheredSnapshot, Problem>> => {
  const snapshot = await unsettledOf(call, runId);
  if (snapshot === null) return err(runNotFound(runId));
  const silent = snapshot.unknown.find(({ bucket }) => bucket === "suspended_subagents");
  if (silent === undefined) return ok(snapshot);
  return err(problem("unavailable", `whether worker ${silent.id} is suspended is not known: ${silent.reason}`));
};
