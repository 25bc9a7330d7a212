import { expect, it } from "vitest";
import { classifyError } from "../../../src/engine/trigger/error-class.ts";

it.each([
  ["provider returned 503 service unavailable", "provider_5xx"],
  ["predicate VmError::Thrown: nope", "predicate_panic"],
  ["handler timed out after wall-clock deadline", "handler_timeout"],
  ["downstream auth failed with 401", "auth_failed"],
  ["trigger budget exhausted", "budget_exhausted"],
  ["Budget limit reached before timeout", "budget_exhausted"],
  ["handler panicked: PANIC", "handler_panic"],
  ["VmError::Thrown: x", "handler_panic"],
  ["handler threw something", "handler_panic"],
  ["predicate and handler crash", "predicate_panic"],
  ["an exception", "unknown"],
  ["upstream 503", "unknown"],
  ["", "unknown"],
])("[T-12.5] %j is %s", (text, expected) => {
  expect(classifyError(text)).toBe(expected);
});
