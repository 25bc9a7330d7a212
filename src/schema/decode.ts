import type * as z from "zod";
import { err, ok, type Result } from "../lib/result.ts";

/** One bad place of an input document. */
export interface DecodeIssue {
  /** Where: `nodes.a.kind`, `edges[0].from`, or `.` for the document itself. */
  readonly path: string;
  readonly message: string;
}

/** Why a document could not be decoded: the specification's text and every bad place (spec/workflow 0.1). */
export interface DecodeError {
  readonly message: string;
  readonly issues: readonly DecodeIssue[];
}

/** How deeply objects and lists may be nested in a document; the document itself is level 1. */
export const MAX_NESTING = 64;

const MAX_ISSUES = 50;
const MAX_PATH_CHARACTERS = 200;
const PAYLOAD_BYTES = 600;

const isContainer = (value: unknown): value is object => typeof value === "object" && value !== null;

/** A path as text, cut where it gets too long to read. */
export const pathText = (path: readonly PropertyKey[]): string => {
  let result = "";
  for (const step of path) {
    if (result.length > MAX_PATH_CHARACTERS) return `${result.slice(0, MAX_PATH_CHARACTERS)}...`;
    if (typeof step === "number") result += `[${step}]`;
    else result += result === "" ? String(step) : `.${String(step)}`;
  }
  return result === "" ? "." : result;
};

interface Frame {
  readonly value: object;
  readonly key: string | number | null;
  readonly parent: Frame | null;
  readonly level: number;
}

const framePath = (frame: Frame): readonly PropertyKey[] => {
  const steps: PropertyKey[] = [];
  for (let at: Frame | null = frame; at !== null && at.key !== null; at = at.parent) steps.push(at.key);
  return steps.toReversed();
};

/** The first place that is nested too deeply, or null. Walks with its own stack, so no input can exhaust the call stack. */
export const nestingIssue = (value: unknown): DecodeIssue | null => {
  if (!isContainer(value)) return null;
  const stack: Frame[] = [{ value, key: null, parent: null, level: 1 }];
  for (let frame = stack.pop(); frame !== undefined; frame = stack.pop()) {
    if (frame.level > MAX_NESTING) {
      return { path: pathText(framePath(frame)), message: `nested more than ${MAX_NESTING} levels deep` };
    }
    const inList = Array.isArray(frame.value);
    for (const [key, child] of Object.entries(frame.value)) {
      if (isContainer(child)) {
        stack.push({ value: child, key: inList ? Number(key) : key, parent: frame, level: frame.level + 1 });
      }
    }
  }
  return null;
};

type Piece = { readonly text: string } | { readonly value: unknown };

const containerPieces = (value: object): readonly Piece[] => {
  const inList = Array.isArray(value);
  const pieces: Piece[] = [{ text: inList ? "[" : "{" }];
  // Every member adds at least two bytes, so more members than bytes can never be shown.
  for (const [key, member] of Object.entries(value).slice(0, PAYLOAD_BYTES)) {
    const separator = pieces.length === 1 ? "" : ",";
    pieces.push({ text: inList ? separator : `${separator}${JSON.stringify(key.slice(0, PAYLOAD_BYTES))}:` });
    pieces.push({ value: member });
  }
  pieces.push({ text: inList ? "]" : "}" });
  return pieces;
};

const utf8Length = (character: string): number => {
  const point = character.codePointAt(0) ?? 0;
  if (point < 0x80) return 1;
  if (point < 0x800) return 2;
  return point < 0x10000 ? 3 : 4;
};

/** The text, or as many whole characters as fit and `...`. */
const cutToBytes = (text: string): string => {
  let bytes = 0;
  let kept = "";
  for (const character of text) {
    bytes += utf8Length(character);
    if (bytes > PAYLOAD_BYTES) return `${kept}...`;
    kept += character;
  }
  return text;
};

/** The first 600 bytes of the value's JSON, with `...` when cut; the rest of the value is never written out. */
export const payloadExcerpt = (value: unknown): string => {
  const stack: Piece[] = [{ value }];
  let text = "";
  while (text.length <= PAYLOAD_BYTES) {
    const piece = stack.pop();
    if (piece === undefined) break;
    if ("text" in piece) text += piece.text;
    else if (isContainer(piece.value)) stack.push(...containerPieces(piece.value).toReversed());
    else if (typeof piece.value === "string") text += JSON.stringify(piece.value.slice(0, PAYLOAD_BYTES));
    else text += typeof piece.value === "bigint" ? String(piece.value) : (JSON.stringify(piece.value) ?? "null");
  }
  return cutToBytes(text);
};

/** The error of a document with bad places; its text names the first of them (spec/workflow 0.1). */
export const decodeError = (label: string, value: unknown, issues: readonly DecodeIssue[]): DecodeError => {
  const first = issues[0] ?? { path: ".", message: "invalid value" };
  return {
    message: `${label} parse error at ${first.path}: ${first.message} | payload=${payloadExcerpt(value)}`,
    issues: issues.slice(0, MAX_ISSUES),
  };
};

/** Runs a schema over a value below a path and gives the decoded value or the bad places, without any text around them. */
export const decodeAt = <Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  path: readonly PropertyKey[] = [],
): Result<z.output<Schema>, readonly DecodeIssue[]> => {
  const parsed = schema.safeParse(value);
  if (parsed.success) return ok(parsed.data);
  return err(parsed.error.issues.flatMap((issue) => decodeIssues(issue, path)).slice(0, MAX_ISSUES));
};

/** Keys that an object may not have are a bad place each. */
const decodeIssues = (issue: z.core.$ZodIssue, path: readonly PropertyKey[]): readonly DecodeIssue[] => {
  const at = [...path, ...issue.path];
  if (issue.code !== "unrecognized_keys") return [{ path: pathText(at), message: issue.message }];
  return issue.keys.map((key) => ({ path: pathText([...at, key]), message: issue.message }));
};

/** Decodes a document whose nesting is not known to be bounded. */
export const decodeDocument = <Schema extends z.ZodType>(
  schema: Schema,
  label: string,
  value: unknown,
): Result<z.output<Schema>, DecodeError> => {
  const tooDeep = nestingIssue(value);
  if (tooDeep !== null) return err(decodeError(label, value, [tooDeep]));
  const decoded = decodeAt(schema, value);
  return decoded.ok ? decoded : err(decodeError(label, value, decoded.error));
};
