import { sha256Hex } from "./stable-uuid.ts";

const HEX32 = /^[0-9a-f]{32}$/;

/** The trace id of W3C for an event's: its UUID where it has one, else the start of its SHA-256 (spec/triggers 21). */
const w3cTraceId = (traceId: string): string => {
  const bare = traceId
    .replace(/^trace_/, "")
    .replaceAll("-", "")
    .toLowerCase();
  const isUsable = HEX32.test(bare) && !/^0+$/.test(bare);
  return isUsable ? bare : sha256Hex(traceId).slice(0, 32);
};

/** The header `traceparent` of a call that is made for a trace (spec/triggers 21): the same for each call of the trace. */
export const traceParent = (traceId: string): string => {
  const trace = w3cTraceId(traceId);
  const span = sha256Hex(trace).slice(0, 16);
  return `00-${trace}-${/^0+$/.test(span) ? "0000000000000001" : span}-01`;
};
