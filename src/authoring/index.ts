export { defineWorkflow } from "./define-workflow.ts";
export type { Names, Registries, WorkflowDefinition, WorkflowDocument } from "./definition.ts";
export {
  condition,
  escalation,
  fork,
  join,
  map,
  person,
  reduce,
  sleep,
  stage,
  subagent,
  verify,
  wait,
} from "./nodes.ts";
export type { NodeFields } from "./node-fields.ts";
export type { Problem } from "./problem.ts";
export type { ToolEntry } from "./tool-entry.ts";
