import { isObject, type Json } from "../../lib/json.ts";

const INTEGER = /^[+-]?\d+$/;
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** A whole number from a number, which is truncated, or from a text; undefined where there is none. */
const whole = (value: Json): number | undefined => {
  const number =
    typeof value === "number"
      ? Math.trunc(value)
      : typeof value === "string" && INTEGER.test(value.trim())
        ? Number(value)
        : Number.NaN;
  return Number.isSafeInteger(number) ? number : undefined;
};

const decimal = (value: Json): number | undefined => {
  const number =
    typeof value === "number"
      ? value
      : typeof value === "string" && DECIMAL.test(value.trim())
        ? Number(value)
        : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
};

const flag = (value: Json): boolean | undefined => {
  if (typeof value === "boolean") return value;
  const word = typeof value === "string" ? value.trim().toLowerCase() : "";
  return word === "true" ? true : word === "false" ? false : undefined;
};

const spoken = (value: Json): string | undefined => {
  if (value === null) return undefined;
  return typeof value === "string" ? value : JSON.stringify(value);
};

const converted = (value: Json, like: Json): Json | undefined => {
  if (typeof like === "number") return Number.isInteger(like) ? whole(value) : decimal(value);
  if (typeof like === "boolean") return flag(value);
  if (typeof like === "string") return spoken(value);
  if (Array.isArray(like)) return Array.isArray(value) ? value : undefined;
  return isObject(value) ? value : undefined;
};

/** An answer in the type of a question's default; the default where it cannot be brought into it (spec/workers 24.3). */
export const coerceTo = (fallback: Json, value: Json): Json =>
  fallback === null ? value : (converted(value, fallback) ?? fallback);

const schemaDefault = (schema: Json | undefined): Json | undefined =>
  isObject(schema) ? schema["default"] : undefined;

/** The answer with what its schema says of properties that it leaves out (spec/workers 24.3). */
export const withDefaults = (schema: Json, value: Json): Json => {
  if (!isObject(schema)) return value;
  const { items } = schema;
  if (Array.isArray(value)) return isObject(items) ? value.map((item: Json) => withDefaults(items, item)) : value;
  const properties = schema["properties"];
  if (!isObject(value) || !isObject(properties)) return value;
  const filled = new Map(Object.entries(value));
  for (const [key, property] of Object.entries(properties)) {
    const given = Object.hasOwn(value, key) ? value[key] : schemaDefault(property);
    if (given !== undefined) filled.set(key, withDefaults(property, given));
  }
  return Object.fromEntries(filled);
};

/** Names of types that the original's schemas have for those of JSON Schema. */
const TYPE_NAMES: ReadonlyMap<Json | undefined, string> = new Map([
  ["int", "integer"],
  ["float", "number"],
  ["bool", "boolean"],
  ["dict", "object"],
  ["list", "array"],
  ["nil", "null"],
]);

const standardType = (type: Json): Json =>
  Array.isArray(type) ? type.map((one: Json) => TYPE_NAMES.get(one) ?? one) : (TYPE_NAMES.get(type) ?? type);

const mapped = (schemas: Json): Json =>
  isObject(schemas)
    ? Object.fromEntries(Object.entries(schemas).map(([key, schema]) => [key, standardSchema(schema)]))
    : schemas;

/** A schema in the words of JSON Schema, also where it is written in those of the original (spec/workers 24.3). */
export const standardSchema = (schema: Json): Json => {
  if (!isObject(schema)) return schema;
  const entries = Object.entries(schema).map(([key, value]): readonly [string, Json] => {
    if (key === "type") return [key, standardType(value)];
    if (key === "properties") return [key, mapped(value)];
    return key === "items" ? [key, standardSchema(value)] : [key, value];
  });
  return Object.fromEntries(entries);
};
