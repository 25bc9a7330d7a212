import {
  type BodyMarker,
  fillMarkers,
  hasMarker,
  markerText,
  MAX_BODY_BYTES,
  segmentsOf,
  wholeBody,
} from "../lib/body-marker.ts";
import { byteLength, type Json } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { eachText, longTexts, mapTexts } from "../lib/texts.ts";
import type { Blobs } from "../ports/blobs.ts";

/** Bodies that are read or written at the same time; the platform gives an invocation six connections. */
const CONCURRENCY = 4;

/** Larger bodies go one by one: several of them do not fit into an isolate's memory. */
const LARGE = 4 * 1024 * 1024;

/** Bodies one filling looks up at most; a text from outside may name any number that do not exist. */
const MAX_LOOKUPS = 512;

/** A text that is too long to be kept. */
export interface TooLong {
  readonly bytes: number;
  readonly max_bytes: number;
}

const forEach = async <Item>(items: readonly Item[], width: number, act: (item: Item) => Promise<void>) => {
  const waiting = items.values();
  const worker = async (): Promise<void> => {
    for (const item of waiting) await act(item);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
};

/**
 * The value with each text of more than 64 KiB kept as a body and replaced by its marker; the value itself when it has
 * none. Refused, with nothing kept, when a text is longer than 25 MiB.
 */
export const spillBodies = async <Value>(value: Value, blobs: Blobs): Promise<Result<Value, TooLong>> => {
  const texts = longTexts(value as Json);
  if (texts.size === 0) return ok(value);
  for (const text of texts) {
    const bytes = byteLength(text);
    if (bytes > MAX_BODY_BYTES) return err({ bytes, max_bytes: MAX_BODY_BYTES });
  }
  const markers = new Map<string, string>();
  const width = [...texts].some(({ length }) => length > LARGE) ? 1 : CONCURRENCY;
  await forEach([...texts], width, async (text) => {
    markers.set(text, markerText(wholeBody(await blobs.put(text))));
  });
  return ok(mapTexts(value as Json, (text) => markers.get(text) ?? text) as Value);
};

/** How much a filling may put in place. */
export interface FillBudget {
  /** Bytes of all slices together; what does not fit stays a marker. */
  readonly max_bytes: number;
  /** Counts a text that stands in several places once: for values that stay values and are not written out. */
  readonly shared?: boolean;
  /** What becomes of a text in which bodies stand; `fillMarkers` unless given. */
  readonly fill?: (text: string, fill: (text: string) => string) => string;
}

/** A filled value. */
export interface Filled<Value> {
  readonly value: Value;
  /** What was left out because the budget did not hold it; whether these bodies exist was not looked up. */
  readonly left_out: readonly BodyMarker[];
}

const sliceBytes = ({ bytes, chars, from, to, escapes }: BodyMarker): number =>
  // A character of a JSON string may take six where it took one.
  Math.ceil((bytes * (to - from)) / chars) * (escapes === 0 ? 1 : 2 ** escapes);

/** The texts of a value in which bodies stand, in order; each once where they are counted once. */
const markedTexts = (value: Json, shared: boolean): readonly string[] => {
  const texts: string[] = [];
  eachText(value, (text) => {
    if (hasMarker(text)) texts.push(text);
  });
  return shared ? [...new Set(texts)] : texts;
};

/** A body that is wanted, and how much of its beginning. */
interface Wanted {
  readonly marker: BodyMarker;
  readonly units: number;
}

const idOf = ({ sha256, bytes, chars }: BodyMarker): string => `${sha256}:${bytes}:${chars}`;

/**
 * The value with the bodies of its markers in place, as many as the budget holds, from the beginning on. A marker whose
 * body the tenant does not have stays as it is.
 */
export const fillBodies = async <Value>(value: Value, blobs: Blobs, budget: FillBudget): Promise<Filled<Value>> => {
  const texts = markedTexts(value as Json, budget.shared === true);
  if (texts.length === 0) return { value, left_out: [] };
  const { wanted, leftOut } = choose(texts, budget.max_bytes);
  const bodies = await read([...wanted.values()], blobs);
  const inPlace = (text: string): string =>
    fillMarkers(text, (marker) => (leftOut.has(markerText(marker)) ? undefined : bodies.get(idOf(marker))));
  const fill = budget.fill ?? ((text, filled) => filled(text));
  const done = new Map<string, string>();
  const filled = mapTexts(value as Json, (text) => {
    if (!hasMarker(text)) return text;
    const known = done.get(text) ?? fill(text, inPlace);
    done.set(text, known);
    return known;
  });
  return { value: filled as Value, left_out: [...leftOut.values()] };
};

const choose = (
  texts: readonly string[],
  maxBytes: number,
): { readonly wanted: ReadonlyMap<string, Wanted>; readonly leftOut: ReadonlyMap<string, BodyMarker> } => {
  const wanted = new Map<string, Wanted>();
  const leftOut = new Map<string, BodyMarker>();
  let left = maxBytes;
  for (const marker of texts.flatMap((text) => segmentsOf(text))) {
    if (typeof marker === "string" || leftOut.has(markerText(marker))) continue;
    const id = idOf(marker);
    const size = sliceBytes(marker);
    const known = wanted.get(id);
    if (size > left || (known === undefined && wanted.size >= MAX_LOOKUPS)) {
      leftOut.set(markerText(marker), marker);
      continue;
    }
    left -= size;
    wanted.set(id, { marker, units: Math.max(known?.units ?? 0, marker.to) });
  }
  return { wanted, leftOut };
};

const read = async (wanted: readonly Wanted[], blobs: Blobs): Promise<ReadonlyMap<string, string>> => {
  const bodies = new Map<string, string>();
  const width = wanted.some(({ units }) => units > LARGE) ? 1 : CONCURRENCY;
  await forEach(wanted, width, async ({ marker, units }) => {
    const body = await blobs.get(marker, units);
    if (body !== null) bodies.set(idOf(marker), body);
  });
  return bodies;
};
