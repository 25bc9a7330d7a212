import type { StoredDefinition } from "../../schema/trigger-definition.ts";
import type { FlowSettings } from "./flow/requirements.ts";
import { destinationOf as destinationOfHandler, type Handler, handlerOf } from "./handler.ts";

/** The handler of a definition. A permit of flow control is held until the handler's work is over. */
export const handlerFor = (definition: StoredDefinition): Handler => {
  const { concurrency, singleton, budget } = definition;
  const holdsPermit = [concurrency, singleton, budget?.max_concurrent].some((limit) => limit !== undefined);
  const handler = handlerOf(definition.handler, holdsPermit);
  if (handler === null) throw new Error("a stored definition has no handler");
  return handler;
};

/** The flow control of a definition; `budget.max_concurrent` is the old name of `concurrency.max` (spec/triggers 5.4). */
export const flowOf = (definition: StoredDefinition): FlowSettings => {
  const max = definition.budget?.max_concurrent;
  return definition.concurrency === undefined && max !== undefined
    ? { ...definition, concurrency: { max } }
    : definition;
};

/** Whether events start runs of a workflow. */
export const isWorkflow = (definition: StoredDefinition): boolean => handlerFor(definition).kind === "workflow";

/** What kind of handler it is (spec/triggers 8). */
export const handlerKindOf = (definition: StoredDefinition): string => handlerFor(definition).kind;

/** Where events go (spec/triggers 5.3). */
export const targetUriOf = (definition: StoredDefinition): string => handlerFor(definition).target_uri;

/** The key of the circuit of a definition's handler (spec/triggers 12.4). */
export const destinationOf = (definition: StoredDefinition): string => destinationOfHandler(handlerFor(definition));

/** Whether failures of the handler open a circuit: starting a run or resuming a worker calls nothing that could be protected. */
export const hasCircuit = (definition: StoredDefinition): boolean => {
  const handler = handlerFor(definition);
  if (handler.kind === "auto_resume") return false;
  return handler.kind !== "workflow" || handler.completion === "finished";
};
