import { completed, type StaticExecution } from "./execution.ts";

/** Marks where a run takes several edges at once (spec/workflow 6.4). */
export const executeFork = (): StaticExecution => completed("forked", "forked", "fork");

/** Marks where edges come together again; whether it is ready is the scheduler's question (spec/workflow 6.4). */
export const executeJoin = (): StaticExecution => completed("joined", "joined", "join");
