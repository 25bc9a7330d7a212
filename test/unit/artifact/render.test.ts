import { describe, expect, it } from "vitest";
import { normalizeArtifact } from "../../../src/engine/artifact/normalize.ts";
import { artifactBody, renderArtifacts } from "../../../src/engine/artifact/render.ts";

const context = { now: 0, nextId: (prefix: string) => `${prefix}_1` };
const file = normalizeArtifact(
  { id: "f", kind: "file", title: "a<b>&c", text: "if a < b {}", source: "x", freshness: "fresh" },
  context,
);
const plan = normalizeArtifact({ id: "d", kind: "plan", data: { b: 1, a: [1, 2] } }, context);

describe("context rendering", () => {
  it("[W-8.4] blocks escape their headings and leave the body as it is", () => {
    expect(renderArtifacts([file], { render: null })).toBe(
      "<artifact>\n<title>a&lt;b&gt;&amp;c</title>\n<kind>workspace_file</kind>\n<source>x</source>\n" +
        "<freshness>fresh</freshness>\n<priority>70</priority>\n<body>\nif a < b {}\n</body>\n</artifact>",
    );
  });

  it("[W-8.4] missing headings have defaults, data is compact JSON with sorted keys", () => {
    const text = renderArtifacts([file, plan], { render: "xml" });
    expect(text).toContain(
      "</artifact>\n\n<artifact>\n<title>plan d</title>\n<kind>plan</kind>\n<source>unknown</source>\n" +
        '<freshness>normal</freshness>\n<priority>80</priority>\n<body>\n{"a":[1,2],"b":1}\n</body>',
    );
  });

  it("[W-8.4] json renders one object for each artifact", () => {
    const [first, second] = renderArtifacts([file, plan], { render: "json" }).split("\n\n");
    expect(JSON.parse(first ?? "")).toEqual({
      id: "f",
      kind: "workspace_file",
      title: "a<b>&c",
      source: "x",
      freshness: "fresh",
      priority: 70,
      text: "if a < b {}",
    });
    expect(JSON.parse(second ?? "")).toMatchObject({ source: null, freshness: null, text: '{"a":[1,2],"b":1}' });
  });

  it("[W-8.4] nothing renders as nothing", () => {
    expect(renderArtifacts([], { render: null })).toBe("");
    expect(artifactBody(normalizeArtifact({ id: "e" }, context))).toBe("");
  });
});
