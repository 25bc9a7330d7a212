import { describe, expect, it } from "vitest";
import { compileExpression, evaluate, MAX_EXPRESSION_LENGTH } from "../../../src/lib/expression.ts";
import type { Json } from "../../../src/lib/json.ts";

const event: Json = {
  id: "evt_1",
  n: 99,
  price: 2.5,
  yes: true,
  none: null,
  ref: "refs/heads/release-1",
  issue: { number: 99, labels: [{ name: "bug" }, { name: "ui" }] },
  list: [1, 2, 3],
};

const valueOf = (text: string, given: Json = event): unknown => {
  const compiled = compileExpression(text, ["event"]);
  if (!compiled.ok) return `definition: ${compiled.error.message}`;
  const value = evaluate(compiled.value, { event: given });
  return value.ok ? value.value : `failed: ${value.error}`;
};

const problemOf = (text: string): unknown => {
  const compiled = compileExpression(text, ["event"]);
  return compiled.ok ? null : compiled.error;
};

const table = (rows: readonly (readonly [string, unknown])[]): void => {
  expect(rows.map(([text]) => [text, valueOf(text)])).toEqual(rows);
};

describe("values", () => {
  it("[T-5.1] numbers of JSON meet whole and fractional literals", () => {
    table([
      ["event.issue.number == 99", true],
      ["event.n > 5 && event.price < 3", true],
      ["event.n + 1 == 100 && event.n * 2.5 > 200", true],
      ["size(event.list) * 1.5", 4.5],
      ["1 + 2.5 - -1 == 4.5", true],
      ["7 / 2", 3.5],
      ["int(7 / 2) + int('3') + double('0.5')", 6.5],
      ["7 % 4", 3],
      ["event.n / 0", "failed: division by zero"],
      ["event.n % 0", "failed: modulo by zero"],
      ["1e308 * 10.0", "failed: the result is not a finite number"],
    ]);
  });

  it("[T-5.1] texts, lists and maps", () => {
    table([
      ["event.ref.startsWith('refs/heads/') && event.ref.endsWith('1') && event.ref.contains('release')", true],
      ["event.ref.substring(5, 10).upperAscii() + 'x'.trim() + 'AB'.lowerAscii()", "HEADSxab"],
      ["event.ref.split('/')", ["refs", "heads", "release-1"]],
      ["event.ref.split('/').join('.')", "refs.heads.release-1"],
      ["['a', 'b'].join()", "ab"],
      ["event.ref.indexOf('e') + event.ref.lastIndexOf('e')", 18],
      ["size('\u{1F600}a') + size({'a': 1}) + size([1])", 4],
      ["event.list + [4]", [1, 2, 3, 4]],
      ["2 in event.list && 'id' in event && !('x' in event)", true],
      ["event.list[1] + event['n']", 101],
      ["{'a': event.n, 'b': [1, 'x']}", { a: 99, b: [1, "x"] }],
      ["{'a': [1, {'b': 2}]} == {'a': [1, {'b': 2}]} && [1] != [2] && {'a': 1} != {'b': 1}", true],
      ["string(1) + string(true) + string('x')", "1truex"],
      ["bool('true') && dyn(event.yes)", true],
      ["event.yes ? 'a' : 'b'", "a"],
      ["'a' < 'b' && 'b' >= 'b' && event.none == null", true],
    ]);
  });

  it("[T-5.1] macros go through lists and the keys of maps", () => {
    table([
      ["event.issue.labels.exists(l, l.name == 'bug')", true],
      ["event.issue.labels.all(l, size(l.name) > 2)", false],
      ["event.list.exists_one(x, x == 2) && !event.list.exists_one(x, x > 1)", true],
      ["event.issue.labels.map(l, l.name)", ["bug", "ui"]],
      ["event.list.map(x, x > 1, x * 2)", [4, 6]],
      ["event.list.filter(x, x != 2)", [1, 3]],
      ["event.issue.exists(key, key == 'labels')", true],
      ["event.list.exists(event, event == 3)", true],
      ["event.list.map(x, event.list.map(y, x * y))[2][2]", 9],
      ["event.n.exists(x, true)", "failed: a number has no items to go through"],
      ["event.list.exists(x, x.y == 1)", "failed: `x` is a number and has no field `y`"],
      ["event.list.exists(x, x == 3 || x.y == 1)", true],
    ]);
  });

  it("[T-5.1] a regular expression is a plain text whose backtracking is bounded", () => {
    table([
      ["event.ref.matches('^refs/heads/(?:release|hotfix)-[0-9]+$')", true],
      ["event.n.matches('9')", "failed: matches() is for texts"],
      ["event.ref.matches('(')", "definition: the pattern is not a regular expression"],
      ["event.ref.matches(event.ref)", "definition: the pattern of matches() must be a plain text"],
    ]);
    for (const pattern of ["(a+)+", "(a|b)*", "(a){2,}", "(a)\\\\1", "(?=a)", "a".repeat(201)]) {
      expect(valueOf(`event.ref.matches('${pattern}')`)).toMatch(/^definition: the pattern is refused: at most 200/);
    }
  });
});

describe("missing fields", () => {
  it("[T-5.1] a missing field is an error that names it, and has() looks for it", () => {
    table([
      ["event.nope == 1", "failed: `event` has no field `nope`"],
      ["event.issue.nope.deep == 1", "failed: `event.issue` has no field `nope`"],
      ["event.n.x == 1", "failed: `event.n` is a number and has no field `x`"],
      ["event.list[7]", "failed: `event.list` has no item 7"],
      ["event.list[0.5]", "failed: `event.list` has no item 0.5"],
      ["event.n[0]", "failed: `event.n` is a number and has no item 0"],
      ["event[event.yes]", "failed: an index is a number or a text, not a bool"],
      ["has(event.issue.number)", true],
      ["has(event.issue.nope)", false],
      ["has(event.nope.deep.down)", false],
      ["has(event.n.x)", false],
      ["!has(event.nope) && event.n == 99", true],
      ["has(event.list[9].x)", "definition: has() invalid argument"],
    ]);
  });

  it("[T-5.1] the side that decides is enough", () => {
    table([
      ["event.nope == 1 || event.n == 99", true],
      ["event.n == 1 && event.nope == 1", false],
      ["event.nope == 1 && event.n == 1", false],
      ["event.nope == 1 && event.n == 99", "failed: `event` has no field `nope`"],
      ["event.n == 99 && event.nope", "failed: `event` has no field `nope`"],
      ["event.n && true", "failed: a condition is true or false, not a number"],
      ["!event.n", "failed: a condition is true or false, not a number"],
      ["event.n ? 1 : 2", "failed: a condition is true or false, not a number"],
      ["-event.ref", "failed: `-` is for numbers, not for a string"],
      ["event.n < event.ref", "failed: `<` cannot be used between a number and a string"],
      ["event.list + event.n", "failed: `+` cannot be used between a list and a number"],
      ["event.n in event.n", "failed: `in` is for lists and maps, not for a number"],
    ]);
  });

  it("[T-5.1] functions say what they are for", () => {
    table([
      ["size(event.n)", "failed: size() takes a text, a list or a map, not a number"],
      ["int(event.ref)", "failed: a string is not a number"],
      ["string(event.list)", "failed: string() takes a text, a number or a bool, not a list"],
      ["bool(event.ref)", 'failed: bool() takes a bool, "true" or "false", not a string'],
      ["event.n.contains('x')", "failed: contains() is for texts, not for a number"],
      ["event.ref.contains(event.n)", "failed: contains() takes a text, not a number"],
      ["event.ref.substring(50)", "failed: substring() is outside of a text of 20"],
      ["event.n.join()", "failed: join() is for lists of texts"],
      ["event.list.join()", "failed: join() is for lists of texts, not of a number"],
    ]);
  });
});

const nested = (depth: number): Json => JSON.parse(`${"[".repeat(depth)}${"]".repeat(depth)}`) as Json;

describe("safety", () => {
  it("[T-5.1] nothing of a prototype is reachable", () => {
    for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
      expect(valueOf(`event['${name}']`)).toBe(`failed: \`event\` has no field \`${name}\``);
      expect(valueOf(`'${name}' in event`)).toBe(false);
    }
    expect(valueOf("has(event.constructor)")).toBe(false);
    expect(valueOf("event.list['length']")).toBe("failed: `event.list` is a list and has no field `length`");
    expect(valueOf("{'__proto__': {'x': 1}}.x")).toMatch(/^(?:failed|definition)/);
  });

  const many = Array.from({ length: 250_000 }, (_, index) => index);
  const long = "a".repeat(1_000_000);
  const needle = `${"a".repeat(50_000)}b${"a".repeat(50_000)}`;

  it.each([
    "event.many.exists(x, event.many.exists(y, x + y == -1))",
    "event.many.all(x, x in event.many)",
    "event.many.exists(x, event.long.contains('b'))",
    "event.long.matches('a*a*b')",
    "event.long.matches('a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?')",
    "event.long.contains(event.needle)",
    "event.long.lastIndexOf(event.needle) == 1 || event.long.split(event.needle) == []",
    "event.long.upperAscii().lowerAscii().upperAscii().size() == 1",
    "event.many.map(x, event.long + event.long).size() == 1",
    "event.many.map(x, event.many + event.many).size() == 1",
    "event.many.exists(x, event.long == event.long + 'b' || event.many == event.many + [x])",
    "event.many.exists(x, x == -1) || event.many.map(x, x).size() == 1 || event.many.all(x, x >= 0)",
  ])("[T-5.1] %s over a megabyte is refused and not waited for", (text) => {
    expect(valueOf(text, { many, long, needle })).toBe(
      "failed: the expression takes too many steps on this value; look at less of it",
    );
  });

  it("[T-5.1] a filter over a megabyte has steps enough", () => {
    const commits = Array.from({ length: 10_000 }, () => ({ id: "0".repeat(40), modified: ["src/a.ts", "src/b.ts"] }));
    const text = "event.commits.exists(c, c.modified.exists(file, file.startsWith('docs/')))";
    expect(valueOf(text, { commits })).toBe(false);
    expect(valueOf("event.long.contains('needle') || event.long.upperAscii().contains('B')", { long })).toBe(false);
  });

  it("[T-5.1] deep values cannot break the stack", () => {
    expect(valueOf("event.a == event.b", { a: nested(100_000), b: nested(100_000) })).toBe(
      "failed: the values nest too deeply to be compared",
    );
  });
});

const typeOf = (text: string): unknown => {
  const compiled = compileExpression(text, ["event"]);
  return compiled.ok ? compiled.value.type : null;
};

describe("definitions", () => {
  it("[T-5.7] what is wrong is said with its place", () => {
    expect(problemOf("event.x ==")).toEqual({ message: "Unexpected token: EOF", position: 10 });
    expect(problemOf("event.x = 1")).toEqual({ message: "Unexpected character: =", position: 8 });
    expect(problemOf("1 + nope.x")).toEqual({ message: "unknown variable 'nope'", position: 4 });
    expect(problemOf("event.l.exists(x, y == 1)")).toEqual({ message: "unknown variable 'y'", position: 18 });
    expect(problemOf("google.protobuf == 1")).toEqual({ message: "unknown variable 'google'", position: 0 });
    expect(problemOf("size(1, 2)")).toEqual({ message: "function size() is not available", position: 0 });
    expect(problemOf("event.x.foo()")).toEqual({ message: "function foo() is not available", position: 0 });
    expect(problemOf("timestamp(event.x) == event.x")).toEqual({
      message: "function timestamp() is not available",
      position: 0,
    });
    expect(problemOf("event.x == b'a'")).toEqual({
      message: "bytes and unsigned numbers are not available",
      position: 11,
    });
    expect(problemOf("99999999999999999 == 1")).toEqual({ message: "the number is too large", position: 0 });
    expect(problemOf("1 + 'a'")).toEqual({ message: "no such overload: int + string", position: 0 });
    expect(problemOf("has(event)")).toEqual({ message: "has() invalid argument", position: 4 });
  });

  it("[T-5.7] length, nodes and depth are bounded", () => {
    expect(problemOf(" ")).toEqual({ message: "the expression is empty" });
    const long = `'${"a".repeat(MAX_EXPRESSION_LENGTH)}'`;
    expect(problemOf(long)).toEqual({ message: "the expression has 2002 characters, more than 2000" });
    expect(problemOf(`${"(".repeat(40)}1${")".repeat(40)}`)).toMatchObject({ message: "Exceeded maxDepth (32)" });
    expect(problemOf(`[${"1,".repeat(600)}1]`)).toMatchObject({ message: "Exceeded maxAstNodes (500)" });
  });

  it("[T-5.7] the type is known as far as the text tells it", () => {
    expect([typeOf("event.x == 1"), typeOf("event.x"), typeOf("'a'")]).toEqual(["bool", "dyn", "string"]);
  });

  it("[T-5.7] an expression is read once, and an unlimited number of them is not kept", () => {
    const first = compileExpression("event.a == 1", ["event"]);
    expect(compileExpression("event.a == 1", ["event"])).toBe(first);
    expect(compileExpression("event.a == 1", ["event", "audit"])).not.toBe(first);
    for (let i = 0; i < 200; i++) compileExpression(`event.a == ${i} + 1000`, ["event"]);
    expect(compileExpression("event.a == 1", ["event"])).not.toBe(first);
  });
});
