import { describe, expect, test } from "vitest";
import { egressRefusal } from "../../../src/executor/private-hosts.ts";
import { startServer } from "./local-server.ts";
import { httpPlan, rerouted, run } from "./plans.ts";

const refusal = (url: string, allowed?: string): string | undefined => egressRefusal(new URL(url), allowed);

describe("hosts", () => {
  test.each([
    "http://127.0.0.1/",
    "http://127.0.0.1./",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://127.255.255.254/",
    "http://%31%32%37.0.0.1/",
    "http://１２７.0.0.1/",
    "http://0.0.0.0/",
    "http://0/",
    "http://10.1.2.3/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/",
    "http://100.64.0.1/",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://192.0.0.192/",
    "http://198.18.0.1/",
    "http://203.0.113.5/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[::1]/",
    "http://[::]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:7f00:1::]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/",
    "http://[fe80::1]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://localhost../",
    "http://a.localhost/",
    "http://printer.local/",
    "http://metadata.google.internal/",
    "http://metadata.google.internal./",
    "http://router.home.arpa/",
    "http://metadata/",
    "https://127.0.0.1:8443/",
  ])("%s is private", (url) => {
    expect(refusal(url)).toMatch(/is private: name it in GODWIT_ALLOW_PRIVATE_HOSTS/);
  });

  test.each([
    "https://example.com/",
    "https://example.com./",
    "http://8.8.8.8/",
    "http://172.32.0.1/",
    "http://[2606:4700:4700::1111]/",
    "http://[::ffff:8.8.8.8]/",
    "https://localhost.example.com/",
    "https://internal.example.com/",
    "https://notlocal.dev/",
  ])("%s is public", (url) => {
    expect(refusal(url)).toBeUndefined();
  });

  test.each([
    ["http://127.0.0.1:8080/", "127.0.0.1"],
    ["http://127.0.0.1:8080/", "other.local, 127.0.0.1:8080"],
    ["http://2130706433/", "127.0.0.1"],
    ["http://127.0.0.1/", "2130706433"],
    ["http://127.0.0.1/", "127.0.0.1:80"],
    ["https://printer.local/", "PRINTER.local:443"],
    ["http://[::1]:9000/", "::1"],
    ["http://[::1]:9000/", "[::1]"],
    ["http://[::1]:9000/", "[0:0::1]:9000"],
    ["http://[::ffff:127.0.0.1]/", "127.0.0.1"],
    ["http://localhost.:3000/", "localhost"],
  ])("%s is allowed by %s", (url, allowed) => {
    expect(refusal(url, allowed)).toBeUndefined();
  });

  test.each([
    ["http://127.0.0.1:8080/", "127.0.0.1:8081"],
    ["https://127.0.0.1/", "127.0.0.1:80"],
    ["http://127.0.0.1/", ""],
    ["http://127.0.0.1/", " , ,"],
    ["http://127.0.0.1/", "*"],
    ["http://a.localhost/", "localhost"],
    ["http://127.0.0.2/", "127.0.0.1"],
    ["http://127.0.0.1/", "http://127.0.0.1"],
  ])("%s is not allowed by %j", (url, allowed) => {
    expect(refusal(url, allowed)).toMatch(/is private/);
  });

  test.each(["ftp://example.com/", "file:///etc/passwd", "data:text/plain,x", "ws://example.com/"])(
    "the scheme of %s is refused, allowed host or not",
    (url) => {
      expect(refusal(url, "example.com")).toMatch(/^the scheme "\w+:" is refused/);
    },
  );

  test("credentials in a URL are refused and not repeated", () => {
    const message = refusal("https://user:hunter22@example.com/");
    expect(message).toMatch(/^a URL with credentials is refused/);
    expect(message).not.toContain("hunter22");
  });

  test("[W-0.3] a refused host is egress_blocked, not retried and never called", async () => {
    const server = await startServer((_q, r) => void r.end());
    const result = await run(httpPlan({ url: server.origin }));
    expect(result).toMatchObject({ error_category: "egress_blocked", retryable: false });
    expect(result["error"]).toContain(`the host "${server.host}" is private`);
    expect(server.requests).toHaveLength(0);
  });
});

describe("redirects", () => {
  const hosts = ["a.example.com", "b.example.com"];
  const redirecting = async (locations: Readonly<Record<string, readonly [number, string]>>) => {
    const server = await startServer((q, r) => {
      const next = locations[q.path];
      if (next === undefined) return void r.end("arrived");
      return void r.writeHead(next[0], { location: next[1] }).end("moved");
    });
    return { server, fetcher: rerouted(server.origin, hosts) };
  };
  const url = "https://a.example.com/start";

  test("a relative redirect keeps method, body and credentials with 307", async () => {
    const { server, fetcher } = await redirecting({ "/start": [307, "/end"] });
    const call = { method: "POST", url, headers: { authorization: "Bearer x" }, body: { a: 1 } };
    const result = await run(httpPlan(call), { fetcher });
    expect(result).toMatchObject({ status: "completed", status_code: 200, text: "arrived" });
    expect(server.requests[1]).toMatchObject({ method: "POST", path: "/end", body: `{"a":1}` });
    expect(server.requests[1]?.headers.authorization).toBe("Bearer x");
  });

  test.each([301, 302, 303])("%i turns a POST into a GET without body", async (status) => {
    const { server, fetcher } = await redirecting({ "/start": [status, "/end"] });
    await run(httpPlan({ method: "POST", url, body: { a: 1 } }), { fetcher });
    expect(server.requests[1]).toMatchObject({ method: "GET", path: "/end", body: "" });
    expect(server.requests[1]?.headers).not.toHaveProperty("content-type");
    expect(server.requests[1]?.headers["idempotency-key"]).toBe("run-1:work:1");
  });

  test("another origin gets no credentials and no header with a secret", async () => {
    const { server, fetcher } = await redirecting({ "/start": [302, "https://b.example.com/end"] });
    const headers = { Authorization: "Bearer x", Cookie: "a=b", "X-Api-Key": "{{secret.K}}", "X-Plain": "stays" };
    const result = await run(httpPlan({ url, headers }), { fetcher, env: { GODWIT_SECRET_K: "very-secret" } });
    expect(result["text"]).toBe("arrived");
    expect(server.requests[0]?.headers).toMatchObject({ authorization: "Bearer x", "x-api-key": "very-secret" });
    expect(server.requests[1]?.headers).not.toHaveProperty("authorization");
    expect(server.requests[1]?.headers).not.toHaveProperty("cookie");
    expect(server.requests[1]?.headers).not.toHaveProperty("x-api-key");
    expect(server.requests[1]?.headers["x-plain"]).toBe("stays");
  });

  test("a body with a secret is not sent to another origin", async () => {
    const { server, fetcher } = await redirecting({ "/start": [307, "https://b.example.com/end"] });
    const call = { method: "POST", url, body: { key: "{{secret.K}}" } };
    const result = await run(httpPlan(call), { fetcher, env: { GODWIT_SECRET_K: "very-secret" } });
    expect(result["error_category"]).toBe("egress_blocked");
    expect(server.requests).toHaveLength(1);
  });

  test.each([
    "http://127.0.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::ffff:10.0.0.1]/",
    "http://localhost/",
    "file:///etc/passwd",
    "https://user:pass@b.example.com/",
  ])("[W-0.3] a redirect to %s is egress_blocked", async (location) => {
    const { server, fetcher } = await redirecting({ "/start": [302, location] });
    const result = await run(httpPlan({ url }), { fetcher });
    expect(result["error"]).toMatch(/^Error \[egress_blocked\]: a redirect was refused: /);
    expect(server.requests).toHaveLength(1);
  });

  test("five redirects are followed, the sixth is refused", async () => {
    const steps = Object.fromEntries([1, 2, 3, 4, 5, 6].map((n) => [`/${n}`, [302, `/${n + 1}`] as const]));
    const { server, fetcher } = await redirecting(steps);
    expect((await run(httpPlan({ url: "https://a.example.com/2" }), { fetcher }))["text"]).toBe("arrived");
    expect(server.requests).toHaveLength(6);
    const result = await run(httpPlan({ url: "https://a.example.com/1" }), { fetcher });
    expect(result["error"]).toBe("Error [generic]: the server redirects more than 5 times");
  });

  test("an expected redirect status is the result", async () => {
    const { server, fetcher } = await redirecting({ "/start": [302, "/end"] });
    const result = await run(httpPlan({ url, expect_status: 302 }), { fetcher });
    expect(result).toMatchObject({ status: "completed", status_code: 302, headers: { location: "/end" } });
    expect(server.requests).toHaveLength(1);
  });

  test("a redirect to what is not a URL fails", async () => {
    const { fetcher } = await redirecting({ "/start": [302, "http://"] });
    const result = await run(httpPlan({ url }), { fetcher });
    expect(result["error"]).toBe("Error [generic]: the server redirects to what is not a URL");
  });
});
