import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "../../../src/lib/json.ts";
import { fillSecrets, fillTemplate, scopeOf, type SecretsInValues } from "../../../src/lib/template.ts";

const filled = (template: Json, values: Json, secrets: SecretsInValues = "quoted"): Json => {
  const result = fillTemplate(template, scopeOf(values), secrets);
  if (!result.ok) throw new Error(`no value for ${result.error}`);
  return result.value;
};

/** What leaves the executor: every secret is `<NAME>`. */
const sent = (template: string, values: Json): string =>
  fillSecrets(filled(template, values) as string, (name) => `<${name}>`);

describe("templates", () => {
  it("[W-8.1] a text that is one placeholder becomes the value, other text takes texts as they are and values as JSON", () => {
    const values = { a: { b: [1, "two"] }, text: "t" };
    expect(filled(["{{ a.b }}", "{{a.b.1}}", "x {{a}} {{text}}", 7, null], values)).toEqual([
      [1, "two"],
      "two",
      'x {"b":[1,"two"]} t',
      7,
      null,
    ]);
    expect(filled({ "{{text}}": "{{text}}" }, values)).toEqual({ "{{text}}": "t" });
  });

  it("[W-8.1] names the first path without a value", () => {
    expect(fillTemplate(["{{a}}", "{{b}} {{c}}"], scopeOf({ a: 1 }), "kept")).toEqual({ ok: false, error: "b" });
    expect(fillTemplate({ x: "{{constructor}}" }, scopeOf({}), "kept")).toEqual({ ok: false, error: "constructor" });
  });

  it("[W-8.1] what is filled in is never read as a template", () => {
    const values = { a: "{{b}} $& $1 {{", b: "no" };
    expect(filled("{{a}}", values)).toBe("{{b}} $& $1 {{");
    expect(filled("<{{a}}{{a}}>", values)).toBe("<{{b}} $& $1 {{{{b}} $& $1 {{>");
  });
});

describe("secrets", () => {
  it("[W-8.1] the template's own secrets are filled in at the end", () => {
    expect(sent("Bearer {{secret.TOKEN}} {{ secret.B }}", {})).toBe("Bearer <TOKEN> <B>");
    expect(filled("{{secret.TOKEN}}", {})).toBe("{{secret.TOKEN}}");
  });

  it.each([
    "{{secret.TOKEN}}",
    "{{ secret.TOKEN }}",
    "{{\n\tsecret.TOKEN\u00a0}}",
    "{{{{secret.TOKEN}}}}",
    "{{literal.secret.TOKEN}}",
    "{{literal.literal.secret.TOKEN}}",
    "{{secret.{{secret.TOKEN}}}}",
    "{{literal.secret.{{secret.TOKEN}}",
  ])("[W-8.1] a value with %j is sent letter by letter, and no secret with it", (text) => {
    expect(sent("{{v}}", { v: text })).toBe(text);
    expect(sent("a {{v}} b", { v: text })).toBe(`a ${text} b`);
    expect(sent("{{secret.OWN}}{{v}}{{secret.OWN}}", { v: text })).toBe(`<OWN>${text}<OWN>`);
    expect(sent("{{v}}", { v: text.slice(1) })).toBe(text.slice(1));
    expect(sent("{{{v}}", { v: text.slice(1) })).toBe(text);
  });

  it("[W-8.1] no secret can be put together from two values, or from a value and the template around it", () => {
    expect(sent("{{a}}{{b}}", { a: "{{sec", b: "ret.TOKEN}}" })).toBe("{{secret.TOKEN}}");
    expect(sent("{{a}} secret.TOKEN}}", { a: "{{" })).toBe("{{ secret.TOKEN}}");
    expect(sent("{{ secret.TOKEN{{a}}", { a: "}}" })).toBe("{{ secret.TOKEN}}");
  });

  it("[W-8.1] a value that stays a document has every text in it quoted, and comes out as it was", () => {
    const value = { list: ["{{secret.A}}", { deep: "x{{secret.B}}" }], n: 1, none: null };
    expect(filled("{{v}}", { v: value })).toEqual({
      list: ["{{literal.secret.A}}", { deep: "x{{literal.secret.B}}" }],
      n: 1,
      none: null,
    });
    expect(filled("{{v}}", { v: value }, "kept")).toEqual(value);
  });

  it("[W-8.1] whatever the values, filling in secrets changes nothing but the template's own", () => {
    const piece = fc.constantFrom("{", "{{", "}", "}}", " ", "secret.", "literal.", "A", "{{secret.A}}", "\n");
    const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(sent("{{a}}-{{secret.OWN}}-{{b}}{{a}}{{secret.OWN}}{{b}}", { a, b })).toBe(
          `${a}-<OWN>-${b}${a}<OWN>${b}`,
        );
      }),
    );
  });

  it("[W-8.1] long hostile values take no longer than their length", () => {
    const hostile = "{{ ".repeat(100_000) + "{{literal.".repeat(20_000) + `{{${" ".repeat(100_000)}`;
    expect(sent("{{a}}!", { a: hostile })).toBe(`${hostile}!`);
  });
});
