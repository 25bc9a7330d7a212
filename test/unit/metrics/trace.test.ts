import { describe, expect, it } from "vitest";
import { sha256Hex } from "../../../src/lib/stable-uuid.ts";
import { parentSpanId, parseTraceparent, traceId, traceparent } from "../../../src/lib/trace.ts";

const EVENT = "trace_0199F000-0000-7000-8000-00000000abcd";
const SENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

describe("the trace of an event", () => {
  it("[T-21] is its UUID without prefix and dashes", () => {
    expect(traceId(EVENT)).toBe("0199f00000007000800000000000abcd");
    expect(traceId("0199f000000070008000000000000001")).toBe("0199f000000070008000000000000001");
  });

  it("[T-21] is the beginning of the SHA-256 of any other text, and never all zero", () => {
    for (const text of ["trace_test", "", "trace_0199", "trace_00000000-0000-0000-0000-000000000000"]) {
      expect(traceId(text)).toBe(sha256Hex(text).slice(0, 32));
    }
  });

  it("[T-21] has a parent span that follows from it", () => {
    expect(parentSpanId(EVENT)).toBe(sha256Hex(EVENT).slice(0, 16));
    expect(traceparent(EVENT)).toBe(`00-${traceId(EVENT)}-${parentSpanId(EVENT)}-01`);
    expect(parseTraceparent(traceparent("trace_test"))).not.toBeNull();
  });

  it("[T-21] is the sender's where its header says one", () => {
    expect(parseTraceparent(SENT)).toEqual({
      trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
      span_id: "00f067aa0ba902b7",
      flags: "00",
    });
    expect(traceparent(EVENT, SENT)).toBe(SENT);
    const broken = [
      "",
      SENT.toUpperCase(),
      `ff${SENT.slice(2)}`,
      `00-${"0".repeat(32)}-00f067aa0ba902b7-01`,
      `00-4bf92f3577b34da6a3ce929d0e0e4736-${"0".repeat(16)}-01`,
    ];
    for (const text of broken) expect(traceparent(EVENT, text)).toBe(traceparent(EVENT));
  });
});
