import type { Json } from "../../src/lib/json.ts";
import { type ActualError, type Difference, match, matchError, shown } from "./matcher.ts";
import { OperationFailure, type Operations } from "./operation.ts";
import { System } from "./system.ts";
import { DanglingReference, SURROUNDINGS, Values } from "./values.ts";
import type { Expectation, Step, Vector } from "./vector.ts";

type Outcome =
  | { readonly returned: Json }
  | { readonly failed: ActualError }
  | { readonly broken: string; readonly crashed: boolean };

/** What running a vector showed. */
export interface Finding {
  readonly differences: readonly Difference[];
  /** The vector was not really put to the test, or the engine crashed: that is excused by nothing. */
  readonly unfit: boolean;
  /** Given data that no step refers to: harmless, because data that is not referenced cannot change anything. */
  readonly unreferenced: readonly string[];
}

const unscripted = (vector: Vector, operations: Operations): readonly Difference[] => [
  ...vector.when
    .filter((step) => !Object.hasOwn(operations, step.op))
    .map((step) => ({ path: step.label, text: `unknown operation ${step.op}` })),
  ...[...vector.expected.keys()]
    .filter((label) => !vector.when.some((step) => step.label === label))
    .map((label) => ({ path: label, text: "an expectation without a step" })),
];

/** A fault with the first places of its stack, which is enough to find it. */
const whereThrown = (error: Error): string => (error.stack ?? error.message).split("\n").slice(0, 4).join("\n    ");

const perform = async (
  step: Step,
  run: { readonly system: System; readonly values: Values; readonly operations: Operations },
) => {
  try {
    const args = run.values.resolve(step.args);
    const returned: unknown = await run.operations[step.op]?.(run.system, args as Step["args"]);
    // Captured and compared as the JSON it would be on the wire.
    return { returned: JSON.parse(JSON.stringify(returned ?? null)) as Json };
  } catch (error) {
    if (error instanceof OperationFailure)
      return { failed: { ...error.facts, message: error.message, kind: error.kind } };
    if (error instanceof DanglingReference) return { broken: error.message, crashed: false };
    return { broken: error instanceof Error ? whereThrown(error) : String(error), crashed: true };
  }
};

const judge = (
  outcome: Outcome,
  expectation: Expectation | undefined,
  where: { readonly path: string; readonly lookup: Values["lookup"] },
): readonly Difference[] => {
  if ("broken" in outcome) return [{ path: where.path, text: `broke: ${outcome.broken}` }];
  if ("failed" in outcome) {
    if (expectation === undefined || !("error" in expectation))
      return [{ path: where.path, text: `failed: ${outcome.failed.message}` }];
    return matchError(expectation.error, outcome.failed, { ...where, path: `${where.path}.error` });
  }
  if (expectation === undefined) return [];
  if ("error" in expectation)
    return [
      { path: where.path, text: `expected the error ${shown(expectation.error)}, got ${shown(outcome.returned)}` },
    ];
  return match(expectation.returns, outcome.returned, { ...where, path: `${where.path}.returns` });
};

/** Runs a vector against an empty system and says where it differs. */
export const runVector = async (vector: Vector, operations: Operations): Promise<Finding> => {
  const unknown = unscripted(vector, operations);
  if (unknown.length > 0) return { differences: unknown, unfit: true, unreferenced: [] };
  const values = new Values(vector.given);
  const system = new System(values);
  const differences: Difference[] = [];
  let crashed = false;
  try {
    for (const step of vector.when) {
      const outcome = await perform(step, { system, values, operations });
      if (step.as !== null && "returned" in outcome) values.capture(step.as, outcome.returned);
      crashed ||= "crashed" in outcome && outcome.crashed;
      const where = { path: step.label, lookup: values.lookup };
      differences.push(...judge(outcome, vector.expected.get(step.label), where));
    }
  } finally {
    system.close();
  }
  const unread = values.unread();
  const surroundings: readonly string[] = SURROUNDINGS;
  const ignored = unread.filter((name) => surroundings.includes(name));
  differences.push(...ignored.map((name) => ({ path: `given.${name}`, text: "was never read" })));
  const unreferenced = unread.filter((name) => !surroundings.includes(name));
  return { differences, unfit: crashed || ignored.length > 0, unreferenced };
};
