import { sha256Hex } from "./stable-uuid.ts";

const PREFIX = "trace_";
const HEX_32 = /^[0-9a-f]{32}$/;
const NOT_ZERO = /[1-9a-f]/;

/** A place in a trace of W3C Trace Context. */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly trace_id: string;
  /** 16 hexadecimal digits. */
  readonly span_id: string;
  /** Two hexadecimal digits; `01` is sampled. */
  readonly flags: string;
}

/** Never all zero, which W3C Trace Context reserves for "none". */
const nonZero = (hex: string): string => (NOT_ZERO.test(hex) ? hex : `${hex.slice(0, -1)}1`);

/**
 * The trace id of an event: its `trace_…` UUID without prefix and dashes when that is 32 hexadecimal digits, else the
 * first 16 bytes of the SHA-256 of the text (spec/triggers 21).
 */
export const traceId = (eventTrace: string): string => {
  const bare = (eventTrace.startsWith(PREFIX) ? eventTrace.slice(PREFIX.length) : eventTrace).replaceAll("-", "");
  const hex = bare.toLowerCase();
  return HEX_32.test(hex) && NOT_ZERO.test(hex) ? hex : nonZero(sha256Hex(eventTrace).slice(0, 32));
};

/** The span id that stands for the sender of an event that named none: the first 8 bytes of the SHA-256 of its trace id. */
export const parentSpanId = (eventTrace: string): string => nonZero(sha256Hex(eventTrace).slice(0, 16));

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

/** What a `traceparent` header says; null for a text that is none. */
export const parseTraceparent = (text: string): TraceContext | null => {
  const [, trace = "", span = "", flags = ""] = TRACEPARENT.exec(text.trim()) ?? [];
  return NOT_ZERO.test(trace) && NOT_ZERO.test(span) ? { trace_id: trace, span_id: span, flags } : null;
};

/**
 * The `traceparent` that goes with what an event causes: trace and parent of the sender's own header where it has one,
 * else what follows from the event's trace (spec/triggers 21).
 */
export const traceparent = (eventTrace: string, sent?: string): string => {
  const parent = sent === undefined ? null : parseTraceparent(sent);
  return parent === null
    ? `00-${traceId(eventTrace)}-${parentSpanId(eventTrace)}-01`
    : `00-${parent.trace_id}-${parent.span_id}-${parent.flags}`;
};
