import type * as z from "zod";
import { evaluatePack, type PackCase, type PackReport } from "../engine/replay/eval-pack.ts";
import { evaluateSuite, type SuiteCase } from "../engine/replay/suite.ts";
import type { Json } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { uuidIds } from "../ports/ids.ts";
import type { evalRequestSchema } from "../schema/api-replay.ts";
import { decodeEvalPack, type EvalPack, type EvalPackCase } from "../schema/eval-pack.ts";
import { decodeReplayFixture, type ReplayEvalSuiteReport, type ReplayFixture } from "../schema/replay.ts";
import type { RunRecord } from "../schema/record.ts";
import type { Call } from "./call.ts";
import { decodeProblem } from "./graph-input.ts";
import { invalid, type Problem } from "./problem.ts";
import { wholeRecord } from "./whole-record.ts";

type EvalRequest = z.output<typeof evalRequestSchema>;

/** Reads each run once, however many cases name it. */
const recordReader = (call: Call) => {
  const known = new Map<string, Promise<Result<RunRecord, Problem>>>();
  return (runId: string): Promise<Result<RunRecord, Problem>> => {
    const record = known.get(runId) ?? wholeRecord(call, runId);
    known.set(runId, record);
    return record;
  };
};

type ReadRecord = ReturnType<typeof recordReader>;

const fixtureOf = (value: Json | undefined, path: string): Result<ReplayFixture | null, Problem> => {
  if (value === undefined || value === null) return ok(null);
  const fixture = decodeReplayFixture(value);
  return fixture.ok ? fixture : err(decodeProblem(path, fixture.error));
};

const baselineOf = async (
  read: ReadRecord,
  runId: string | null | undefined,
): Promise<Result<PackCase["baseline"], Problem>> => {
  if (runId == null || runId === "") return ok(null);
  const run = await read(runId);
  return run.ok ? ok({ path: runId, run: run.value }) : run;
};

const suiteCases = async (
  read: ReadRecord,
  cases: NonNullable<EvalRequest["cases"]>,
): Promise<Result<readonly SuiteCase[], Problem>> => {
  const found: SuiteCase[] = [];
  for (const [index, entry] of cases.entries()) {
    const run = await read(entry.run_id);
    if (!run.ok) return run;
    const fixture = fixtureOf(entry.fixture, `cases[${index}].fixture`);
    if (!fixture.ok) return fixture;
    const baseline = await baselineOf(read, entry.compare_to);
    if (!baseline.ok) return baseline;
    found.push({ run: run.value, fixture: fixture.value, label: entry.label ?? null, baseline: baseline.value });
  }
  return ok(found);
};

/** The fixture a case names among those of its pack. */
const namedFixture = (pack: EvalPack, entry: EvalPackCase, path: string): Result<ReplayFixture | null, Problem> => {
  if (entry.fixture === null) return ok(null);
  const fixture = pack.fixtures.find(({ id }) => id === entry.fixture);
  if (fixture === undefined || fixture.inline === null)
    return err(invalid([{ path, message: `names no fixture of the pack that is given inline` }]));
  return fixtureOf(fixture.inline, path);
};

const packCases = async (read: ReadRecord, pack: EvalPack): Promise<Result<readonly PackCase[], Problem>> => {
  const found: PackCase[] = [];
  for (const [index, entry] of pack.cases.entries()) {
    const path = `pack.cases[${index}]`;
    if (entry.run_path !== null || entry.fixture_path !== null)
      return err(invalid([{ path, message: "names a file: give `run` and an inline fixture" }]));
    const run = entry.run === null || entry.run === "" ? null : await read(entry.run);
    if (run !== null && !run.ok) return run;
    const fixture = namedFixture(pack, entry, `${path}.fixture`);
    if (!fixture.ok) return fixture;
    const baseline = await baselineOf(read, entry.compare_to ?? pack.baseline);
    if (!baseline.ok) return baseline;
    found.push({ entry, run: run?.value ?? null, fixture: fixture.value, baseline: baseline.value });
  }
  return ok(found);
};

/** Judges the runs of a request (spec/workflow 12.6, 12.7). */
export const evaluate = async (
  call: Call,
  { cases, pack }: EvalRequest,
): Promise<Result<ReplayEvalSuiteReport | PackReport, Problem>> => {
  const context = { now: Date.now(), nextId: uuidIds };
  const read = recordReader(call);
  if ((cases === undefined) === (pack === undefined))
    return err(invalid([{ path: "cases", message: "give `cases` or `pack`, one of them" }]));
  if (cases !== undefined) {
    const found = await suiteCases(read, cases);
    return found.ok ? ok(evaluateSuite(found.value, context)) : found;
  }
  const manifest = decodeEvalPack(pack ?? {});
  if (!manifest.ok) return err(decodeProblem("pack", manifest.error));
  const found = await packCases(read, manifest.value);
  return found.ok ? ok(evaluatePack(manifest.value, found.value, context)) : found;
};
