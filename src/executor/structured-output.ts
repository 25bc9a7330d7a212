import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import { parseJson } from "../lib/json-text.ts";
import { err, ok, type Result } from "../lib/result.ts";
import type { StageFailure } from "../ports/stage-failure.ts";
import type { StagePlan } from "../schema/plan.ts";
import { schemaErrors } from "./json-schema.ts";

/** What a stage with `output_schema` promises about its answer. */
export interface StructuredOutput {
  readonly schema: JsonObject;
  /** How often the model may repair an answer that does not match. */
  readonly retries: number;
}

const DEFAULT_RETRIES = 2;

/** The structured output a plan asks for; undefined for plain text. */
export const structuredOutputOf = (plan: StagePlan): Result<StructuredOutput | undefined, StageFailure> => {
  const schema: Json | undefined = plan.output_schema ?? plan.llm_options?.["output_schema"] ?? undefined;
  if (schema === undefined || schema === null) return ok(undefined);
  if (!isObject(schema)) return err({ category: "schema_validation", message: "output_schema is not a JSON schema" });
  const retries = plan.llm_options?.["schema_retries"];
  return ok({ schema, retries: typeof retries === "number" ? retries : DEFAULT_RETRIES });
};

/** The schema to tell a provider about: they take objects only. */
export const providerSchema = (output: StructuredOutput | undefined): JsonObject | undefined =>
  output?.schema["type"] === "object" ? output.schema : undefined;

/** What the model is told, whatever its provider makes of the schema. */
export const schemaInstructions = (output: StructuredOutput): string =>
  "Answer with one JSON value that matches this JSON schema, and with nothing else:\n" + JSON.stringify(output.schema);

const FENCED = /```(?:json)?\s*\n([^]*?)```/i;

/** The value an answer holds, or what is wrong with it. */
export const readStructured = (output: StructuredOutput, text: string): Result<Json, readonly string[]> => {
  const whole = parseJson(text.trim());
  const parsed = whole.ok ? whole : parseJson(FENCED.exec(text)?.[1]?.trim() ?? "");
  if (!parsed.ok) return err(["#: the answer is not JSON"]);
  const errors = schemaErrors(output.schema, parsed.value);
  return errors.length === 0 ? ok(parsed.value) : err(errors);
};

/** What the model is told about an answer that does not match. */
export const repairText = (errors: readonly string[]): string =>
  `Your answer does not match the schema:\n${errors.map((error) => `- ${error}`).join("\n")}\n` +
  "Answer again with the corrected JSON value and nothing else.";

/** The failure after the last repair (spec/workflow 0.3). */
export const structuredFailure = (errors: readonly string[]): StageFailure => ({
  category: "schema_validation",
  message: `the answer does not match output_schema: ${errors.join("; ")}`,
});
