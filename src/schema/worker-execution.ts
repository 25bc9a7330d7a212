import * as z from "zod";
import { err, ok, type Result } from "../lib/result.ts";
import { decodeAt, nestingIssue } from "./decode.ts";
import { optionalText, text } from "./lenient.ts";

/** A working tree of git for a worker (spec/workers 5). */
export const workerWorktreeSchema = z
  .object({ repo: text, path: optionalText, branch: optionalText, base_ref: optionalText, cleanup: optionalText })
  .readonly();

/** Where the commands of a worker run; all keys are optional and unknown ones are ignored (spec/workers 5). */
export const workerExecutionSchema = z
  .object({
    cwd: optionalText,
    env: z.record(z.string(), z.string()).readonly().default({}),
    worktree: workerWorktreeSchema.nullable().default(null),
  })
  .readonly();

/** Where the commands of a worker run (spec/workers 5). */
export type WorkerExecutionProfile = z.output<typeof workerExecutionSchema>;

/** Decodes a part of a worker; the error is `{label} parse error: {path}: {reason}` (spec/workers 2, 12.4). */
export const decodeWorkerPart = <Schema extends z.ZodType>(
  schema: Schema,
  label: string,
  value: unknown,
): Result<z.output<Schema>, string> => {
  const tooDeep = nestingIssue(value);
  const decoded = tooDeep === null ? decodeAt(schema, value) : err([tooDeep]);
  if (decoded.ok) return ok(decoded.value);
  const [first] = decoded.error;
  return err(`${label} parse error: ${first?.path ?? "."}: ${first?.message ?? "invalid value"}`);
};

/** An execution profile; nothing is the profile without an opinion (spec/workers 2, 12.4, 14.1). */
export const decodeWorkerExecution = (
  value: unknown,
  label: "worker execution" | "worker snapshot execution" = "worker execution",
): Result<WorkerExecutionProfile, string> => decodeWorkerPart(workerExecutionSchema, label, value ?? {});
