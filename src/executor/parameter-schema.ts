import { isObject, type JsonObject } from "../lib/json.ts";

interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

type Checked<Output> = { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly Issue[] };

/** A schema of zod, Valibot, ArkType or any other library that speaks Standard Schema and can give its JSON schema. */
export interface StandardParameters<Output = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly validate: (value: unknown) => Checked<Output> | Promise<Checked<Output>>;
    readonly jsonSchema: { readonly input: (options: { readonly target: "draft-2020-12" }) => Record<string, unknown> };
    readonly types?: { readonly output: Output } | undefined;
  };
}

/** What a tool says about its arguments: a JSON schema, or a schema that also gives them their type. */
export type Parameters = JsonObject | StandardParameters;

/** The arguments as the handler gets them. */
export type ArgsOf<Schema> = Schema extends StandardParameters<infer Output> ? Output : JsonObject;

/** True for a schema that checks; a JSON schema only describes. */
export const isStandard = (schema: Parameters): schema is StandardParameters =>
  (typeof schema === "object" || typeof schema === "function") &&
  "~standard" in schema &&
  isObject(schema["~standard"]);

/** The JSON schema that a model is shown. */
export const jsonSchemaOf = (schema: Parameters): JsonObject =>
  isStandard(schema) ? (schema["~standard"].jsonSchema.input({ target: "draft-2020-12" }) as JsonObject) : schema;

/** Arguments that do not fit; a handler that throws it fails its call with this category (spec/workflow 0.3). */
class InvalidArguments extends Error {
  readonly category = "schema_validation";
}

const stepOf = (step: PropertyKey | { readonly key: PropertyKey }): string =>
  String(typeof step === "object" ? step.key : step);

/** The arguments, decoded; throws an error of category `schema_validation` with every bad place. */
export const decodeArgs = async (schema: StandardParameters, args: JsonObject): Promise<unknown> => {
  const checked = await schema["~standard"].validate(args);
  if (checked.issues === undefined) return checked.value;
  const places = checked.issues.map(
    ({ path = [], message }) => `${path.map(stepOf).join(".") || "arguments"}: ${message}`,
  );
  throw new InvalidArguments(places.join("; "));
};
