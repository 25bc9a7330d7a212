import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Fault, fromDatabase, problemOfError } from "../../../src/http/fault.ts";
import { fromRejection, invalid, problem, problemPage, problemResponse } from "../../../src/http/problem.ts";
import { type ProblemCode, PROBLEMS } from "../../../src/schema/problem.ts";

const CODES = Object.keys(PROBLEMS) as readonly ProblemCode[];

describe("problem documents", () => {
  it("[api] carry the table's status and title, the request id and the facts", async () => {
    const response = problemResponse(problem("graph_invalid", "no entry", { errors: ["no entry"] }), "req_1");
    expect(response.status).toBe(422);
    expect(response.headers.get("Content-Type")).toBe("application/problem+json");
    expect(await response.json()).toEqual({
      type: "/docs/errors/graph_invalid",
      title: "The workflow graph is not valid",
      status: 422,
      detail: "no entry",
      code: "graph_invalid",
      details: { errors: ["no entry"] },
      request_id: "req_1",
    });
  });

  it("[api] name the first bad place and list all of them", () => {
    const refusal = invalid([
      { path: "a.b", message: "is odd" },
      { path: "c", message: "is missing" },
    ]);
    expect(refusal.detail).toBe("a.b: is odd");
    expect(refusal.details).toEqual({
      issues: [
        { path: "a.b", message: "is odd" },
        { path: "c", message: "is missing" },
      ],
    });
  });

  it("[api] say when to try again where that may help", () => {
    for (const code of CODES) {
      const wait = problemResponse(problem(code, "x"), "r").headers.get("Retry-After");
      expect(wait !== null, code).toBe(PROBLEMS[code].status === 429 || PROBLEMS[code].status === 503);
    }
  });

  it("[api] take a code of an object as it is, and one that is not in the table as a failure", () => {
    expect(fromRejection({ code: "stale_attempt", detail: "old" })).toEqual({ code: "stale_attempt", detail: "old" });
    expect(fromRejection({ code: "toString", detail: "odd" }).code).toBe("internal_error");
  });
});

describe("thrown errors", () => {
  it("[api] become 503 where the platform says that another try may help", () => {
    for (const mark of ["retryable", "overloaded", "durableObjectReset"])
      expect(problemOfError(Object.assign(new Error("secret text"), { [mark]: true })).code).toBe("unavailable");
    expect(problemOfError(Object.assign(new Error("x"), { retryable: false })).code).toBe("internal_error");
  });

  it("[api] never show their own text", () => {
    for (const error of [new Error("secret text"), "secret text", null, undefined, { message: "secret text" }])
      expect(JSON.stringify(problemOfError(error))).not.toContain("secret text");
  });

  it("[api] of the database become a fault that keeps its cause for the log", async () => {
    const cause = new Error("no such table");
    const error: unknown = await fromDatabase(Promise.reject(cause)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Fault);
    expect((error as Fault).cause).toBe(cause);
    expect(problemOfError(error)).toMatchObject({ code: "unavailable", detail: expect.stringContaining("migrations") });
  });
});

describe("pages about codes", () => {
  const folder = join(import.meta.dirname, "../../../docs/errors");

  it("[api] are there for every code, and for no other", () => {
    expect(readdirSync(folder).toSorted()).toEqual(CODES.map((code) => `${code}.md`).toSorted());
  });

  it("[api] say what the code means, why it comes and what to do, under the table's title and status", () => {
    for (const code of CODES) {
      const page = readFileSync(join(folder, `${code}.md`), "utf8");
      const { title, status } = PROBLEMS[code];
      expect(page, code).toContain(`# \`${code}\`\n\n${title}. HTTP status ${status}.`);
      for (const part of ["**What it means.**", "**Why.**", "**What to do.**"]) expect(page, code).toContain(part);
    }
  });

  it("[api] have the address that documents name", () => {
    expect(problemPage("forbidden")).toBe("/docs/errors/forbidden");
  });
});
