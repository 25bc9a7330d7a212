import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { VerificationContract, VerificationRequirement } from "../../schema/policy.ts";

// Decodes contracts that travelled in a node's metadata, leniently (spec/workflow 0.1). The first field that does not fit
// ends the decoding with a text that says where it is.

type Decoded<Value> = Result<Value, string>;

const TEXT_FIELDS = ["source_node", "summary", "command", "assert_text", "expect_text"] as const;
const LIST_FIELDS = ["required_identifiers", "required_paths", "required_text", "notes"] as const;

const optionalText = (source: JsonObject, key: string, path: string): Decoded<string | null> => {
  const value = source[key] ?? null;
  return value === null || typeof value === "string" ? ok(value) : err(`${path}.${key}: expected a string`);
};

const list = <Item>(
  value: Json | undefined,
  path: string,
  decode: (item: Json, path: string) => Decoded<Item>,
): Decoded<readonly Item[]> => {
  if (value === undefined) return ok([]);
  if (!Array.isArray(value)) return err(`${path}: expected a list`);
  const items: Item[] = [];
  for (const [index, entry] of (value as readonly Json[]).entries()) {
    const item = decode(entry, `${path}[${index}]`);
    if (!item.ok) return item;
    items.push(item.value);
  }
  return ok(items);
};

const text = (value: Json, path: string): Decoded<string> =>
  typeof value === "string" ? ok(value) : err(`${path}: expected a string`);

const requirement = (value: Json, path: string): Decoded<VerificationRequirement> => {
  if (!isObject(value)) return err(`${path}: expected an object`);
  const kind = text(value["kind"] ?? "", `${path}.kind`);
  if (!kind.ok) return kind;
  const wanted = text(value["value"] ?? "", `${path}.value`);
  if (!wanted.ok) return wanted;
  const note = optionalText(value, "note", path);
  return note.ok ? ok({ kind: kind.value, value: wanted.value, note: note.value }) : note;
};

const contract = (value: Json, path: string): Decoded<VerificationContract> => {
  if (!isObject(value)) return err(`${path}: expected an object`);
  const texts = new Map<string, string | null>();
  for (const key of TEXT_FIELDS) {
    const decoded = optionalText(value, key, path);
    if (!decoded.ok) return decoded;
    texts.set(key, decoded.value);
  }
  const lists = new Map<string, readonly string[]>();
  for (const key of LIST_FIELDS) {
    const decoded = list(value[key], `${path}.${key}`, text);
    if (!decoded.ok) return decoded;
    lists.set(key, decoded.value);
  }
  const status = value["expect_status"] ?? null;
  if (status !== null && !(typeof status === "number" && Number.isSafeInteger(status))) {
    return err(`${path}.expect_status: expected a whole number`);
  }
  const checks = list(value["checks"], `${path}.checks`, requirement);
  if (!checks.ok) return checks;
  return ok({
    source_node: texts.get("source_node") ?? null,
    summary: texts.get("summary") ?? null,
    command: texts.get("command") ?? null,
    expect_status: status,
    assert_text: texts.get("assert_text") ?? null,
    expect_text: texts.get("expect_text") ?? null,
    required_identifiers: lists.get("required_identifiers") ?? [],
    required_paths: lists.get("required_paths") ?? [],
    required_text: lists.get("required_text") ?? [],
    notes: lists.get("notes") ?? [],
    checks: checks.value,
  });
};

/** The contracts of a value that should be a list of them, or where it is none. */
export const decodeContracts = (value: Json): Result<readonly VerificationContract[], string> =>
  list(value, "contracts", contract);
