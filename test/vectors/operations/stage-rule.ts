import { conditionHolds } from "../../../src/engine/node/condition.ts";
import { evaluateVerification } from "../../../src/engine/verification/evaluate.ts";
import { classifyOutcome } from "../../../src/engine/verification/outcome.ts";
import { isObject } from "../../../src/lib/json.ts";
import { type Operations, textArg } from "../operation.ts";
import { artifactsArg } from "./artifact.ts";

/** Rules about single stages (spec/workflow 6.1, 6.8 and 7.1). */
export const stageRuleOperations: Operations = {
  evaluate_verification: (_system, args) => evaluateVerification(args["verify"] ?? null, args["result"] ?? null),
  classify_outcome: (_system, args) =>
    classifyOutcome(textArg(args, "kind"), args["result"] ?? null, args["verification"] ?? null),
  evaluate_condition: (system, args) => ({
    matched: conditionHolds(isObject(args["metadata"]) ? args["metadata"] : {}, artifactsArg(system, args)),
  }),
};
