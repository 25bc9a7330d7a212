import { filledLength, hasMarker, sliceMarked } from "../../lib/body-marker.ts";

const DEFAULT_LIMIT = 20_000;
const SMALLEST_LIMIT = 200;
const MAX_DIAGNOSTIC_LINES = 32;
const SMALLEST_SIDE = 80;
const DIAGNOSTICS_OPEN = "\n\n[diagnostic lines preserved]\n";
const DIAGNOSTICS_CLOSE = "\n\n[... output compacted ...]\n\n";

const WEAK_KEYWORDS = [
  "error",
  "undefined",
  "expected",
  "got",
  "cannot find",
  "not found",
  "no such",
  "unresolved",
  "missing",
  "declared but not used",
  "unused",
  "mismatch",
] as const;

const STARTS = ["error:", "warning:", "note:"] as const;

const isDigit = (code: number): boolean => code >= 48 && code <= 57;

/** True for a line a reader needs to understand a failure: a verdict, a panic, or a place with a complaint (spec/workflow 14.5). */
export const isDiagnosticLine = (line: string): boolean => {
  if (line.includes("FAIL") || line.includes("panic") || line.includes("Panic")) return true;
  const lower = line.toLowerCase();
  const trimmed = lower.trimStart();
  if (lower.includes(" error ") || STARTS.some((start) => trimmed.startsWith(start))) return true;
  const colon = line.indexOf(":");
  const namesPlace = colon >= 0 && isDigit(line.charCodeAt(colon + 1));
  return namesPlace && WEAK_KEYWORDS.some((keyword) => lower.includes(keyword));
};

const diagnosticLines = (text: string): string => {
  const lines: string[] = [];
  let start = 0;
  while (start <= text.length && lines.length < MAX_DIAGNOSTIC_LINES) {
    const newline = text.indexOf("\n", start);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(start, end);
    if (isDiagnosticLine(line)) lines.push(line.endsWith("\r") ? line.slice(0, -1) : line);
    start = end + 1;
  }
  return lines.join("\n");
};

const splitsSurrogates = (text: string, at: number): boolean =>
  (text.charCodeAt(at) & 0xfc00) === 0xdc00 && (text.charCodeAt(at - 1) & 0xfc00) === 0xd800;

// A cut moves to the nearest line boundary inside the kept part, but never gives up more than half of it: a file of
// one enormous line would otherwise lose everything.
const headOf = (text: string, size: number): string => {
  const newline = text.lastIndexOf("\n", size - 1);
  if (newline + 1 >= size / 2) return text.slice(0, newline + 1);
  return text.slice(0, splitsSurrogates(text, size) ? size - 1 : size);
};

const tailOf = (text: string, size: number): string => {
  const cut = text.length - size;
  const newline = text.indexOf("\n", cut - 1);
  if (newline >= 0 && newline + 1 <= cut + size / 2) return text.slice(newline + 1);
  return text.slice(splitsSurrogates(text, cut) ? cut + 1 : cut);
};

const snipNote = (length: number, limit: number): string => `\n\n[... ${length - limit} characters snipped ...]\n\n`;

/** A text with bodies keeps its two halves; the lines between them cannot be looked at. */
const snipMarked = (text: string, limit: number): string => {
  const length = filledLength(text);
  if (length <= limit) return text;
  const half = Math.floor(limit / 2);
  return sliceMarked(text, 0, half) + snipNote(length, limit) + sliceMarked(text, length - half, length);
};

/**
 * Shortens a text to about `limit` characters, keeping its head, its tail and the lines that explain failures
 * (spec/workflow 14.5). A limit below 200 shortens nothing.
 *
 * With preserved lines the result never exceeds the limit; otherwise only by the marker of what was left out.
 */
export const microcompact = (text: string, limit: number = DEFAULT_LIMIT): string => {
  if (limit < SMALLEST_LIMIT) return text;
  if (hasMarker(text)) return snipMarked(text, limit);
  if (text.length <= limit) return text;
  const diagnostics = diagnosticLines(text);
  const overhead = diagnostics.length + DIAGNOSTICS_OPEN.length + DIAGNOSTICS_CLOSE.length;
  const side = Math.floor((limit - overhead) / 2);
  if (diagnostics !== "" && side >= SMALLEST_SIDE) {
    return headOf(text, side) + DIAGNOSTICS_OPEN + diagnostics + DIAGNOSTICS_CLOSE + tailOf(text, side);
  }
  const half = Math.floor(limit / 2);
  return headOf(text, half) + snipNote(text.length, limit) + tailOf(text, half);
};
