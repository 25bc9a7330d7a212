import { readdirSync } from "node:fs";
import { expect, it } from "vitest";
import { createApp } from "../../../src/http/app.ts";
import { OWN_SEGMENTS } from "../../../src/schema/trigger-path.ts";

it("[T-20.1] no trigger can have a path where the API or a file of the deployment is", async () => {
  const { paths } = await (await createApp().request("/openapi.json")).json<{ paths: Record<string, unknown> }>();
  const firsts = Object.keys(paths).map((path) => path.split("/")[1] ?? "");
  expect(firsts.length).toBeGreaterThan(20);
  expect([...new Set([...firsts, ...readdirSync("public")])].filter((first) => !OWN_SEGMENTS.has(first))).toEqual([]);
});
