import { expect, it } from "vitest";
import { lowerCaseHeaders, redactHeaders } from "../../../src/connectors/headers.ts";

it("[T-4.4] credentials are hidden; delivery, signature and tracing headers are kept, and so are all names", () => {
  const headers = {
    Authorization: "Bearer secret",
    Cookie: "session=abc",
    "User-Agent": "GitHub-Hookshot/123",
    "X-GitHub-Delivery": "delivery-123",
    "X-GitHub-Event": "issues",
    "X-Webhook-Token": "token",
    "X-Api-Key": "k",
    "X-Hub-Signature-256": "sha256=00",
    "X-Key-Timestamp": "1",
    "X-Secret-Event": "e",
    "Idempotency-Key": "i",
    "X-Other": "o",
  };
  expect(redactHeaders(headers)).toEqual({
    ...headers,
    Authorization: "[redacted]",
    Cookie: "[redacted]",
    "X-Webhook-Token": "[redacted]",
    "X-Api-Key": "[redacted]",
    "Idempotency-Key": "[redacted]",
  });
});

it("[T-4.4] the caller may name further headers to keep", () => {
  const headers = { "X-Api-Key": "k", "X-Token": "t" };
  expect(redactHeaders(headers, new Set(["x-api-key"]))).toEqual({ "X-Api-Key": "k", "X-Token": "[redacted]" });
});

it("[T-4.4] a value that is a secret is hidden under any name", () => {
  const headers = { "X-Request-Id": "s3cret", "X-Other": "s3cre" };
  expect(redactHeaders(headers, new Set(["x-request-id"]), ["s3cret"])).toEqual({
    "X-Request-Id": "[redacted]",
    "X-Other": "s3cre",
  });
});

it("[T-25] header names are read in lower case", () => {
  expect(lowerCaseHeaders(new Headers({ "X-GitHub-Event": "push" }))).toEqual({ "x-github-event": "push" });
  expect(lowerCaseHeaders([["X-A", "1"]])).toEqual({ "x-a": "1" });
});
