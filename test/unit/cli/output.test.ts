import { describe, expect, it } from "vitest";
import { redactionOf } from "../../../src/cli/redaction.ts";
import { commandAnswer } from "../../../src/cli/runner/answer.ts";
import { OutputKeeper, outputText } from "../../../src/cli/runner/output.ts";

const NOTHING = redactionOf("");

const keep = (limit: number, chunks: readonly (string | Uint8Array)[]) => {
  const keeper = new OutputKeeper(limit);
  for (const chunk of chunks) keeper.push(Buffer.from(chunk as string));
  return keeper.kept();
};

const text = (limit: number, ...chunks: readonly (string | Uint8Array)[]): string =>
  outputText(keep(limit, chunks), limit, NOTHING);

describe("the output of a command", () => {
  it("[L-5] is kept whole up to the limit, in whatever pieces it comes", () => {
    expect(text(10)).toBe("");
    expect(text(10, "0123456789")).toBe("0123456789");
    expect(text(10, ..."0123456789")).toBe("0123456789");
    expect(text(10, "01234567", "89")).toBe("0123456789");
    expect(text(3, "abc")).toBe("abc");
  });

  it("[L-5] beyond the limit has its beginning and its end, and says how much is between them", () => {
    expect(text(10, "0123456789A")).toBe("01234\n[1 bytes left out]\n6789A");
    expect(text(10, ..."0123456789ABCDEF")).toBe("01234\n[6 bytes left out]\nBCDEF");
    expect(text(10, "x".repeat(1_000), "0123", "4")).toBe("xxxxx\n[995 bytes left out]\n01234");
    expect(text(10, ...Array.from({ length: 1_000 }, () => "ab"))).toBe("ababa\n[1990 bytes left out]\nbabab");
  });

  it("[L-5] is cut between characters, and what was cut off counts as left out", () => {
    expect(text(10, "ääääää")).toBe("ää\n[4 bytes left out]\nää");
    expect(text(10, "äääääää")).toBe("ää\n[6 bytes left out]\nää");
    expect(text(12, "😀😀😀😀")).toBe("😀\n[8 bytes left out]\n😀");
    for (let limit = 2; limit < 40; limit += 1) {
      const cut = text(limit, "aß漢😀".repeat(20));
      expect(cut).not.toContain("\ufffd");
      const [head = "", tail = ""] = cut.split(/\n\[\d+ bytes left out\]\n/);
      const left = Number(/\[(\d+) bytes/.exec(cut)?.[1]);
      expect(Buffer.byteLength(head) + Buffer.byteLength(tail) + left).toBe(200);
    }
  });

  it("[L-5] that is no UTF-8 becomes replacement characters", () => {
    expect(text(10, new Uint8Array([0x61, 0xff, 0x62]))).toBe("a\ufffdb");
    expect(text(4, new Uint8Array(9).fill(0x80))).toContain("bytes left out");
  });
});

const SECRET = "gwroot_0123456789";
const secret = redactionOf(SECRET);
const shown = (limit: number, output: string): string => outputText(keep(limit, [output]), limit, secret);

describe("a secret in the output", () => {
  it("[L-5] is taken out, also where the output was cut within it", () => {
    expect(shown(100, `a ${SECRET} b ${SECRET}`)).toBe("a [hidden] b [hidden]");
    expect(shown(60, `${"a".repeat(20)}${SECRET}${"b".repeat(60)}`)).toMatch(/^a{20}\[hidden\]\n/);
    expect(shown(60, `${"a".repeat(60)}${SECRET}${"b".repeat(20)}`)).toMatch(/\[hidden\]b{20}$/);
  });

  it("[L-5] an empty one hides nothing, and a short likeness is kept", () => {
    expect(NOTHING.hide("text")).toBe("text");
    expect(secret.hideInHead("see gwroot")).toBe("see gwroot");
    expect(secret.hideInTail("789 things")).toBe("789 things");
  });
});

const kept = (output: string) => keep(300_000, [output]);

describe("the answer of a command", () => {
  const end = { exit_code: 0, signal: null, timed_out: false, stdout: kept("out"), stderr: kept("") };
  const limits = { max_output_bytes: 300_000, timeout_ms: 5, secret: NOTHING };

  it("[W-7.1] has what the command wrote and how it ended", () => {
    expect(commandAnswer(end, limits)).toEqual({
      stdout: "out",
      stderr: "",
      exit_status: 0,
      success: true,
      signal: null,
      timed_out: false,
      stdout_bytes: 3,
      stderr_bytes: 0,
    });
    expect(commandAnswer({ ...end, exit_code: 3 }, limits)).toMatchObject({ exit_status: 3, success: false });
  });

  it("[W-7.1] a command that was ended has the status -1, also one that took too long and said it was fine", () => {
    expect(commandAnswer({ ...end, exit_code: null, signal: "SIGSEGV" }, limits)).toMatchObject({
      exit_status: -1,
      success: false,
      signal: "SIGSEGV",
      stderr: "[the command was ended by SIGSEGV]",
    });
    expect(commandAnswer({ ...end, timed_out: true, stderr: kept("late") }, limits)).toMatchObject({
      exit_status: -1,
      success: false,
      stderr: "late\n[the command was ended: it took longer than 5 ms]",
    });
  });

  it("[L-5] always fits into a queue, however much longer JSON makes it", () => {
    const long = kept("\u0000".repeat(200_000));
    const answer = commandAnswer({ ...end, stdout: long, stderr: long }, limits);
    expect(Buffer.byteLength(JSON.stringify(answer))).toBeLessThan(256 * 1_024);
    expect(answer["stdout"]).toContain("bytes left out");
    expect(answer["stdout_bytes"]).toBe(200_000);
  });
});
