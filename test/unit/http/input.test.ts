import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { maxBodyBytes, readBytes, readJson } from "../../../src/http/body.ts";
import { decodeCursor, encodeCursor, pageFrom } from "../../../src/http/page.ts";
import { decodePath, pathTest } from "../../../src/http/path.ts";
import {
  derivedSecret,
  keyIdOf,
  keyText,
  matchesHash,
  randomSecret,
  sameSecret,
  sha256,
} from "../../../src/http/secret.ts";
import { readServerSentEvents } from "../../../src/http/server-sent-events.ts";
import { VERSION } from "../../../src/http/version.ts";

const request = (body: BodyInit, type: string | null = "application/json"): Request => {
  const headers = new Headers(type === null ? {} : { "Content-Type": type });
  const made = new Request("https://godwit.test/", { method: "POST", headers, body, duplex: "half" } as RequestInit);
  if (type === null) made.headers.delete("Content-Type");
  return made;
};

const streamOf = (chunks: readonly string[], onCancel: () => void = () => {}): ReadableStream<Uint8Array> => {
  const encoder = new TextEncoder();
  let next = 0;
  return new ReadableStream({
    pull(controller) {
      const chunk = chunks[next];
      next += 1;
      if (chunk === undefined) controller.close();
      else controller.enqueue(encoder.encode(chunk));
    },
    cancel: onCancel,
  });
};

describe("bodies", () => {
  it("[api] are read up to the limit and no further", async () => {
    expect(await readBytes(request("x".repeat(10)), 10)).toMatchObject({ ok: true });
    expect(await readBytes(request("x".repeat(11)), 10)).toMatchObject({
      ok: false,
      error: { code: "payload_too_large" },
    });
    let cancelled = false;
    const endless = streamOf(
      Array.from({ length: 1_000 }, () => "12345"),
      () => {
        cancelled = true;
      },
    );
    expect(await readBytes(request(endless), 12)).toMatchObject({ ok: false, error: { code: "payload_too_large" } });
    expect(cancelled).toBe(true);
  });

  it("[api] are joined from their pieces, also within a character", async () => {
    const bytes = new TextEncoder().encode('{"a": "ü🦢"}');
    const pieces = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    expect(await readJson(request(pieces), 100)).toEqual({ ok: true, value: { a: "ü🦢" } });
  });

  it("[api] need a content type unless they are empty", async () => {
    expect(await readJson(request("", null), 10)).toEqual({ ok: true, value: undefined });
    for (const type of [null, "text/plain", "json", "application/jsonp"])
      expect(await readJson(request("{}", type), 10), String(type)).toMatchObject({
        error: { code: "unsupported_media_type" },
      });
    for (const type of ["application/json;charset=utf-8", "APPLICATION/JSON", "application/vnd.x+json"])
      expect(await readJson(request("{}", type), 10), type).toEqual({ ok: true, value: {} });
  });

  it("[api] have a limit that only a whole number above zero sets", () => {
    expect(maxBodyBytes("2048")).toBe(2_048);
    for (const setting of [undefined, "", "0", "-1", "1e3", "x", "99999999999"])
      expect(maxBodyBytes(setting)).toBe(1_048_576);
  });
});

describe("paths", () => {
  const pattern = "/v1/runs/{run_id}/stages/{node_id}/prepare";

  it("[api] are decoded id by id", () => {
    expect(decodePath(pattern, "/v1/runs/r%2F1/stages/%F0%9F%A6%A2%20x/prepare")).toEqual({
      ok: true,
      value: { run_id: "r/1", node_id: "🦢 x" },
    });
  });

  it("[api] are refused with the name of each bad id", () => {
    expect(decodePath(pattern, "/v1/runs/%00/stages/%ff/prepare")).toEqual({
      ok: false,
      error: [
        { path: "run_id", message: "must not contain control characters" },
        { path: "node_id", message: "is not valid percent-encoded UTF-8" },
      ],
    });
  });

  it("[api] are matched as a whole", () => {
    expect(pathTest("/openapi.json").test("/openapi.json")).toBe(true);
    expect(pathTest("/openapi.json").test("/openapixjson")).toBe(false);
    expect(pathTest(pattern).test("/v1/runs/a/stages/b/prepare/")).toBe(false);
  });
});

describe("cursors", () => {
  it("[api] come back as they were, and anything else is none", () => {
    for (const position of [["a"], ["2026-01-01", "🦢"], [""]]) {
      expect(decodeCursor(encodeCursor(position), position.length)).toEqual(position);
      expect(decodeCursor(encodeCursor(position), position.length + 1)).toBeNull();
    }
    for (const text of ["", "!", "A", "AAAA", btoa("{}"), btoa("[1]"), btoa("[[]]")])
      expect(decodeCursor(text, 1), text).toBeNull();
  });

  it("[api] are given only when there is more", () => {
    expect(pageFrom(["a", "b"], 2, (row) => [row])).toEqual({ items: ["a", "b"], next_cursor: null });
    expect(pageFrom(["a", "b", "c"], 2, (row) => [row])).toEqual({
      items: ["a", "b"],
      next_cursor: encodeCursor(["b"]),
    });
  });
});

describe("secrets", () => {
  it("[api] are compared by their hashes", async () => {
    expect(await sameSecret("a", "a")).toBe(true);
    expect(await sameSecret("a", "b")).toBe(false);
    expect(await sameSecret("a", "aa")).toBe(false);
    expect(await matchesHash("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")).toBe(true);
    expect(await matchesHash("abc", await sha256("abd"))).toBe(false);
  });

  it("[api] of keys can be told from their ids", () => {
    const id = "0123456789abcdef0123456789abcdef";
    const text = keyText(id, randomSecret());
    expect(keyIdOf(text)).toBe(id);
    for (const other of [`${text}0`, text.slice(1), `gw_${id}`, ""]) expect(keyIdOf(other)).toBeNull();
  });

  it("[api] that are derived follow from the secret and the text", async () => {
    const first = await derivedSecret("root", "a");
    expect(await derivedSecret("root", "a")).toBe(first);
    expect(await derivedSecret("root", "b")).not.toBe(first);
    expect(await derivedSecret("toor", "a")).not.toBe(first);
  });
});

describe("server-sent events", () => {
  it("[api] are read from pieces, without comments and without what was cut off", async () => {
    const chunks = [
      ": hi\n\nretry: 1\n\nid: 1\neve",
      "nt: a\ndata: {}\n",
      "\nid: 2\r\nevent: b\r\ndata: x\r\ndata: y\r\n\r\nid: 3\ndata: lo",
    ];
    const read: unknown[] = [];
    for await (const message of readServerSentEvents(streamOf(chunks))) read.push(message);
    expect(read).toEqual([
      { id: "1", event: "a", data: "{}" },
      { id: "2", event: "b", data: "x\ny" },
    ]);
  });
});

it("[api] the version is the package's", () => {
  const text = readFileSync(join(import.meta.dirname, "../../../package.json"), "utf8");
  expect((JSON.parse(text) as { version: string }).version).toBe(VERSION);
});
