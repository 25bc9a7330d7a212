import { expect, test } from "vitest";
import { createRedactor } from "../../../src/executor/redaction.ts";

test("values of GODWIT_SECRET_* and *_KEY are redacted, other settings are not", () => {
  const { text } = createRedactor({
    GODWIT_SECRET_A: "aaaa",
    OPENAI_API_KEY: "bbbb",
    GODWIT_ROOT_KEY: "cccc",
    GODWIT_MODEL: "dddd",
    AI: { run: () => null },
  });
  expect(text("aaaa bbbb cccc dddd")).toBe("[redacted] [redacted] [redacted] dddd");
});

test("a secret that contains another one goes as a whole", () => {
  const { text } = createRedactor({ GODWIT_SECRET_A: "pass", GODWIT_SECRET_B: "password" });
  expect(text("password, pass")).toBe("[redacted], [redacted]");
});

test("a secret is found in a URL, a form, JSON and base64", () => {
  const secret = 'ü b&"c';
  const { json } = createRedactor({ GODWIT_SECRET_A: secret });
  const base64 = Buffer.from(secret).toString("base64");
  const spellings = [
    encodeURIComponent(secret),
    String(new URLSearchParams({ k: secret })),
    JSON.stringify(secret),
    base64,
  ];
  expect(json(spellings)).toEqual(["[redacted]", "k=[redacted]", `"[redacted]"`, "[redacted]"]);
});

test("keys, nested values and nothing else change", () => {
  const { json } = createRedactor({ GODWIT_SECRET_A: "hidden" });
  expect(json({ "a-hidden": [{ b: "hidden!" }, 1, null, true] })).toEqual({
    "a-[redacted]": [{ b: "[redacted]!" }, 1, null, true],
  });
});

test("values too short to be secrets leave texts whole", () => {
  expect(createRedactor({ GODWIT_SECRET_A: "", GODWIT_SECRET_B: "abc" }).text("abc")).toBe("abc");
});
