import { isLongText } from "./body-marker.ts";
import { byteLength, isObject, type Json } from "./json.ts";

/** The value with every text in it replaced, keys excepted; parts in which nothing changes stay the same objects. */
export const mapTexts = (value: Json, map: (text: string) => string): Json => {
  if (typeof value === "string") return map(value);
  if (Array.isArray(value)) {
    const items = value as readonly Json[];
    const mapped = items.map((item) => mapTexts(item, map));
    return mapped.every((item, index) => item === items[index]) ? value : mapped;
  }
  if (!isObject(value)) return value;
  let changed = false;
  const entries = Object.entries(value).map(([key, item]): [string, Json] => {
    const mapped = mapTexts(item, map);
    changed ||= mapped !== item;
    return [key, mapped];
  });
  return changed ? Object.fromEntries(entries) : value;
};

/** Calls a function with every text of a value, keys excepted, in the order in which they stand. */
export const eachText = (value: Json, visit: (text: string) => void): void => {
  if (typeof value === "string") visit(value);
  else if (Array.isArray(value)) for (const item of value as readonly Json[]) eachText(item, visit);
  else if (isObject(value)) for (const key of Object.keys(value)) eachText(value[key] as Json, visit);
};

/** The texts of a value that are too long for a row, each once (architecture 2). */
export const longTexts = (value: Json): ReadonlySet<string> => {
  const found = new Set<string>();
  eachText(value, (text) => {
    if (isLongText(text)) found.add(text);
  });
  return found;
};

/** UTF-8 bytes of a value as JSON, without the texts that are too long for a row. */
export const inlineBytes = (value: Json): number =>
  byteLength(JSON.stringify(mapTexts(value, (text) => (isLongText(text) ? "" : text))));
