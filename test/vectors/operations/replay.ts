import { enrichRunRecord, normalizeRunRecord } from "../../../src/engine/observe/enrich.ts";
import { diffRuns } from "../../../src/engine/replay/diff.ts";
import { evaluateFixture } from "../../../src/engine/replay/evaluate.ts";
import { replayFixture } from "../../../src/engine/replay/fixture.ts";
import { evaluateSuite, type SuiteCase } from "../../../src/engine/replay/suite.ts";
import { isObject, type Json } from "../../../src/lib/json.ts";
import { decodeRunRecord, type RunRecord } from "../../../src/schema/record.ts";
import { decodeReplayFixture } from "../../../src/schema/replay.ts";
import { listArg, type Operations, valueOf } from "../operation.ts";
import type { System } from "../system.ts";

const recordOf = (system: System, value: Json | undefined): RunRecord =>
  normalizeRunRecord(valueOf(decodeRunRecord(value)), system.clock.context);

const caseOf = (system: System, value: Json): SuiteCase => {
  if (!isObject(value)) throw new Error("a case must be an object");
  const { run, fixture, source_path: path } = value;
  return {
    run: recordOf(system, run),
    fixture: (fixture ?? null) === null ? null : valueOf(decodeReplayFixture(fixture)),
    ...(typeof path === "string" ? { source_path: path } : {}),
  };
};

/** Fixtures, evaluation and comparison of records (spec/workflow 12.3 to 12.6). */
export const replayOperations: Operations = {
  replay_fixture: (system, args) => replayFixture(recordOf(system, args["run"]), system.clock.context),
  evaluate_fixture: (system, args) =>
    evaluateFixture(recordOf(system, args["run"]), valueOf(decodeReplayFixture(args["fixture"]))),
  evaluate_suite: (system, args) =>
    evaluateSuite(
      listArg(args, "cases").map((entry) => caseOf(system, entry)),
      system.clock.context,
    ),
  diff_runs: (system, args) => {
    const [left, right] = [args["left"], args["right"]].map((value) =>
      enrichRunRecord(recordOf(system, value), system.clock.context),
    );
    if (left === undefined || right === undefined) throw new Error("diff_runs needs two records");
    return diffRuns(left, right);
  },
};
