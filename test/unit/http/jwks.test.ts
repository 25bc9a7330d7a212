import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { jwksSource } from "../../../src/http/jwks.ts";

const asked: string[] = [];
let server: Server;
let origin = "";

beforeAll(async () => {
  server = createServer(({ url = "" }, response) => {
    asked.push(url);
    if (url === "/moved") response.writeHead(302, { Location: "/keys" });
    response.end(url.startsWith("/large") ? `{"keys":["${"x".repeat(300_000)}"]}` : `{"keys":[{"kid":"${url}"}]}`);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => server.close());

it("[T-25] keys are read once, and again for a missing one at most twice a minute", async () => {
  const keys = jwksSource("127.0.0.1");
  for (const refresh of [false, false, true])
    expect(await keys(`${origin}/keys`, { refresh })).toEqual([{ kid: "/keys" }]);
  expect(asked.filter((url) => url === "/keys")).toHaveLength(1);
});

it("[T-25] what leads elsewhere, is too large or is private has no keys", async () => {
  const keys = jwksSource("127.0.0.1");
  for (const path of ["/moved", "/large"]) expect(await keys(`${origin}${path}`, { refresh: false })).toBeNull();
  expect(await jwksSource(undefined)(`${origin}/private`, { refresh: false })).toBeNull();
  expect(await keys("nowhere", { refresh: false })).toBeNull();
  expect(asked).not.toContain("/private");
});
