import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { WorkerConfig, WorkerRequest } from "./state.ts";

/** The lists of a request, each with the names it may have in a config (spec/workers 6). */
const LISTS = {
  research_questions: ["research_questions", "questions"],
  action_items: ["action_items", "actions"],
  workflow_stages: ["workflow_stages", "stages"],
  verification_steps: ["verification_steps", "verification"],
} as const;

type Lists = { readonly [Name in keyof typeof LISTS]: readonly Json[] };

type Asked = Omit<WorkerRequest, "task" | "system">;

const listOf = (value: Json | undefined): readonly Json[] => {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? (value as readonly Json[]) : [value];
};

const firstList = (source: JsonObject, names: readonly string[]): readonly Json[] => {
  for (const name of names) {
    const list = listOf(source[name]);
    if (list.length > 0) return list;
  }
  return [];
};

const askedIn = (source: JsonObject): Asked => {
  const lists: Lists = {
    research_questions: firstList(source, LISTS.research_questions),
    action_items: firstList(source, LISTS.action_items),
    workflow_stages: firstList(source, LISTS.workflow_stages),
    verification_steps: firstList(source, LISTS.verification_steps),
  };
  const filled = Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0));
  const otherwise = Object.keys(filled).length > 0 ? filled : null;
  return { payload: Object.hasOwn(source, "request") ? (source["request"] ?? null) : otherwise, ...lists };
};

const asksNothing = ({ payload, ...lists }: Asked): boolean =>
  payload === null && Object.values(lists).every((list) => list.length === 0);

const askedBy = (config: WorkerConfig): Asked => {
  switch (config.mode) {
    case "workflow": {
      const asked = askedIn(config.options);
      return asksNothing(asked) ? askedIn(config.graph.metadata) : asked;
    }
    case "stage":
      return askedIn(config.node.metadata);
    case "sub_agent":
      return askedIn(config.spec.options);
  }
};

const systemOf = (config: WorkerConfig): string | null => {
  if (config.mode === "workflow") return null;
  return config.mode === "stage" ? config.node.system : config.spec.system;
};

/** What is asked of a worker when it is made; it never changes afterwards (spec/workers 6). */
export const requestOf = (config: WorkerConfig, task: string): WorkerRequest => ({
  task,
  system: systemOf(config),
  ...askedBy(config),
});

/** The request of a snapshot: what of it is in form; nothing where it is not (spec/workers 12.4). */
export const readRequest = (value: Json | undefined): WorkerRequest => {
  const source = isObject(value) ? value : {};
  const { task, system } = source;
  return {
    task: typeof task === "string" ? task : "",
    system: typeof system === "string" ? system : null,
    payload: source["payload"] ?? null,
    research_questions: listOf(source["research_questions"]),
    action_items: listOf(source["action_items"]),
    workflow_stages: listOf(source["workflow_stages"]),
    verification_steps: listOf(source["verification_steps"]),
  };
};
