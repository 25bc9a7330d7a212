import { byteLength } from "./json.ts";

/** Texts of more UTF-8 bytes than this are kept as bodies of their own, outside the rows (architecture 2). */
export const MAX_INLINE_BYTES = 65_536;

/** Largest text that can be kept, in UTF-8 bytes. */
export const MAX_BODY_BYTES = 25 * 1024 * 1024;

/** A text that is kept elsewhere, by the digest of its stored bytes; `bytes` in UTF-8, `chars` in UTF-16 units. */
export interface BodyRef {
  readonly sha256: string;
  readonly bytes: number;
  readonly chars: number;
}

/** A slice of a body that stands in a text, from one UTF-16 unit to before another. */
export interface BodyMarker extends BodyRef {
  readonly from: number;
  readonly to: number;
  /** How many times the slice is written as the inside of a JSON string when it is put in place. */
  readonly escapes: number;
}

const OPEN = "⟦godwit-body:";

const PATTERN = /⟦godwit-body:([0-9a-f]{64}):(\d{1,9}):(\d{1,9})(?::(\d{1,9})-(\d{1,9}))?(?::json(\d))?⟧/g;

/** True for a text that is too long for a row. */
export const isLongText = (text: string): boolean =>
  text.length > MAX_INLINE_BYTES || (text.length * 3 > MAX_INLINE_BYTES && byteLength(text) > MAX_INLINE_BYTES);

/** The whole of a body as a marker. */
export const wholeBody = (ref: BodyRef): BodyMarker => ({ ...ref, from: 0, to: ref.chars, escapes: 0 });

/** A marker as the text that stands for its slice; an empty slice is the empty text. */
export const markerText = ({ sha256, bytes, chars, from, to, escapes }: BodyMarker): string => {
  if (from === to) return "";
  const slice = from === 0 && to === chars ? "" : `:${from}-${to}`;
  return `${OPEN}${sha256}:${bytes}:${chars}${slice}${escapes === 0 ? "" : `:json${escapes}`}⟧`;
};

const markerOf = ([, sha256 = "", bytes, chars, from, to, escapes]: RegExpMatchArray): BodyMarker => ({
  sha256,
  bytes: Number(bytes),
  chars: Number(chars),
  from: Number(from ?? 0),
  to: Number(to ?? chars),
  escapes: Number(escapes ?? 0),
});

/** A marker is only what `markerText` writes: whatever else resembles one is text and stays as it is. */
const isSound = (marker: BodyMarker, written: string): boolean =>
  marker.from < marker.to && marker.to <= marker.chars && markerText(marker) === written;

/** A text as what stands in it: plain text and markers, in order. What only looks like a marker is plain text. */
export const segmentsOf = (text: string): readonly (string | BodyMarker)[] => {
  if (!text.includes(OPEN)) return text === "" ? [] : [text];
  const segments: (string | BodyMarker)[] = [];
  let end = 0;
  for (const match of text.matchAll(PATTERN)) {
    const marker = markerOf(match);
    if (!isSound(marker, match[0])) continue;
    if (match.index > end) segments.push(text.slice(end, match.index));
    segments.push(marker);
    end = match.index + match[0].length;
  }
  if (end < text.length) segments.push(text.slice(end));
  return segments;
};

/** True for a text in which a body stands. */
export const hasMarker = (text: string): boolean =>
  text.includes(OPEN) && segmentsOf(text).some((segment) => typeof segment !== "string");

/** The marker a text consists of, if it is one and nothing else. */
export const soleMarker = (text: string): BodyMarker | null => {
  const [first, ...others] = segmentsOf(text);
  return first === undefined || typeof first === "string" || others.length > 0 ? null : first;
};

/** UTF-16 units of a text with its bodies in place; an escaped slice counts as it is without its escapes. */
export const filledLength = (text: string): number =>
  segmentsOf(text).reduce((sum, segment) => sum + lengthOf(segment), 0);

const lengthOf = (segment: string | BodyMarker): number =>
  typeof segment === "string" ? segment.length : segment.to - segment.from;

/**
 * UTF-8 bytes of a text with its bodies in place; of a slice, its share of the body's. A marker never counts less than
 * its own text, so that one whose body does not exist cannot make a text look short.
 */
export const filledBytes = (text: string): number =>
  text.includes(OPEN) ? segmentsOf(text).reduce((sum, segment) => sum + bytesOf(segment), 0) : byteLength(text);

const bytesOf = (segment: string | BodyMarker): number => {
  if (typeof segment === "string") return byteLength(segment);
  const share = Math.ceil((segment.bytes * (segment.to - segment.from)) / segment.chars);
  return Math.max(share, byteLength(markerText(segment)));
};

/** The slice of a text, counted with its bodies in place: filling the slice is slicing the filled text. */
export const sliceMarked = (text: string, from: number, to: number): string => {
  let result = "";
  let at = 0;
  for (const segment of segmentsOf(text)) {
    const length = lengthOf(segment);
    const start = Math.min(Math.max(from - at, 0), length);
    const end = Math.min(Math.max(to - at, start), length);
    at += length;
    if (typeof segment === "string") result += segment.slice(start, end);
    else result += markerText({ ...segment, from: segment.from + start, to: segment.from + end });
  }
  return result;
};

/** A text whose bodies will be put in place within a JSON string: after filling it reads as if they had been there. */
export const escapeMarkers = (text: string): string =>
  segmentsOf(text)
    .map((segment) => (typeof segment === "string" ? segment : escaped(segment)))
    .join("");

const escaped = (marker: BodyMarker): string => markerText({ ...marker, escapes: marker.escapes + 1 });

/** Puts bodies in place, once: what stands in a body is never read as a marker. One that is not found stays a marker. */
export const fillMarkers = (text: string, bodyOf: (marker: BodyMarker) => string | undefined): string =>
  segmentsOf(text)
    .map((segment) => {
      if (typeof segment === "string") return segment;
      const body = bodyOf(segment);
      return body === undefined ? markerText(segment) : inPlace(body.slice(segment.from, segment.to), segment.escapes);
    })
    .join("");

const inPlace = (slice: string, escapes: number): string => {
  let text = slice;
  for (let level = 0; level < escapes; level++) text = JSON.stringify(text).slice(1, -1);
  return text;
};
