import {
  AISDKError,
  APICallError,
  EmptyResponseBodyError,
  InvalidArgumentError,
  InvalidPromptError,
  InvalidResponseDataError,
  JSONParseError,
  LoadAPIKeyError,
  NoSuchModelError,
  TypeValidationError,
} from "ai";
import type { StageFailure } from "../ports/stage-failure.ts";
import type { StageErrorCategory } from "../schema/error-category.ts";
import { categoryOfStatus, retryAfterMs } from "./http-status.ts";
import { NetworkFault } from "./network.ts";

const SCHEMA_ERRORS = [
  EmptyResponseBodyError,
  InvalidArgumentError,
  InvalidPromptError,
  InvalidResponseDataError,
  JSONParseError,
  TypeValidationError,
];

const isSchemaError = (error: unknown): boolean => SCHEMA_ERRORS.some((type) => type.isInstance(error));

/** An answer of the provider that was no answer: by its status, or by why its body could not be used. */
const categoryOfCall = (error: APICallError): StageErrorCategory => {
  if (error.statusCode !== undefined && error.statusCode >= 400) return categoryOfStatus(error.statusCode);
  if (isSchemaError(error.cause)) return "schema_validation";
  // A status of success without usable body means that the body broke off; no status at all that none was received.
  return error.isRetryable || error.statusCode !== undefined ? "transient_network" : "generic";
};

const categoryOf = (error: unknown): StageErrorCategory => {
  if (error instanceof NetworkFault) return "transient_network";
  if (APICallError.isInstance(error)) return categoryOfCall(error);
  if (LoadAPIKeyError.isInstance(error)) return "auth";
  if (NoSuchModelError.isInstance(error)) return "not_found";
  return isSchemaError(error) ? "schema_validation" : "generic";
};

/** The milliseconds a provider asks to wait; `retry-after-ms` is the finer form some of them send as well. */
const waitOf = (error: unknown, now: number): number | undefined => {
  if (!APICallError.isInstance(error)) return undefined;
  const fine = Number(error.responseHeaders?.["retry-after-ms"] ?? Number.NaN);
  return Number.isFinite(fine) && fine >= 0 ? fine : retryAfterMs(error.responseHeaders?.["retry-after"], now);
};

/**
 * Turns what a model call threw into the category of spec/workflow 0.3.
 *
 * Decided by the error's type and HTTP status alone, never by its text.
 */
export const modelFailure = (error: unknown, now: number): StageFailure => {
  const wait = waitOf(error, now);
  const status = APICallError.isInstance(error) ? error.statusCode : undefined;
  const known = error instanceof NetworkFault || AISDKError.isInstance(error);
  const message = error instanceof Error && error.message !== "" ? error.message : "the model call failed";
  return {
    category: categoryOf(error),
    message: known ? message : `the model call failed: ${message}`,
    ...(wait === undefined ? {} : { retry_after_ms: wait }),
    ...(status === undefined ? {} : { status_code: status }),
  };
};
