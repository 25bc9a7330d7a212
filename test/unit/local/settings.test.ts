import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalProblem } from "../../../src/local/problem.ts";
import { ensureMasterKey, ensureRootKey, readPort, readSettings, varsFile } from "../../../src/local/settings.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "godwit-settings-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const modeOf = (file: string): number => statSync(file).mode & 0o777;

describe("the root key", () => {
  it("is made once, kept in .dev.vars for its owner alone, and found there the next time", () => {
    const made = ensureRootKey(root, {});
    expect(made.origin).toBe("made");
    expect(made.value).toMatch(/^gwroot_[A-Za-z0-9_-]{43}$/);
    expect(modeOf(varsFile(root))).toBe(0o600);
    expect(ensureRootKey(root, {})).toEqual({ value: made.value, origin: "file" });
  });

  it("is added to what .dev.vars holds already, and closes that file to others", () => {
    writeFileSync(varsFile(root), "OPENAI_API_KEY=sk-1");
    chmodSync(varsFile(root), 0o644);
    const { value } = ensureRootKey(root, {});
    expect(readFileSync(varsFile(root), "utf8")).toBe(`OPENAI_API_KEY=sk-1\nGODWIT_ROOT_KEY=${value}\n`);
    expect(modeOf(varsFile(root))).toBe(0o600);
  });

  it("[T-5.9] comes with a key for secrets, 32 bytes, kept beside it", () => {
    const root_key = ensureRootKey(root, {}).value;
    const key = ensureMasterKey(root, {});
    expect(Buffer.from(key, "base64")).toHaveLength(32);
    expect(ensureMasterKey(root, {})).toBe(key);
    expect(ensureMasterKey(root, { GODWIT_MASTER_KEY: "given" })).toBe("given");
    expect(readFileSync(varsFile(root), "utf8")).toBe(`GODWIT_ROOT_KEY=${root_key}\nGODWIT_MASTER_KEY=${key}\n`);
  });

  it("of the environment wins, and nothing is written", () => {
    expect(ensureRootKey(root, { GODWIT_ROOT_KEY: "given" })).toEqual({ value: "given", origin: "environment" });
    expect(() => readFileSync(varsFile(root))).toThrow("ENOENT");
  });
});

describe("the settings", () => {
  it("give the Worker .dev.vars and the variables that are for it, and nothing else of the environment", () => {
    writeFileSync(varsFile(root), 'GODWIT_ROOT_KEY=k\nGODWIT_MASTER_KEY=m\nMY_TOKEN="a b"\nOPENAI_API_KEY=file\n');
    const environment = { OPENAI_API_KEY: "env", GODWIT_MODEL: "m", GODWIT_STATE: "s", HOME: "/root", PORT: "9000" };
    const settings = readSettings(root, environment);
    expect(settings.vars).toEqual({
      GODWIT_ROOT_KEY: "k",
      GODWIT_MASTER_KEY: "m",
      MY_TOKEN: "a b",
      OPENAI_API_KEY: "env",
      GODWIT_MODEL: "m",
    });
    expect(settings).toMatchObject({ host: "127.0.0.1", port: 9000, state: join(root, "s") });
  });

  it("have a state directory and a port without being told", () => {
    const settings = readSettings(root, { GODWIT_ROOT_KEY: "k" });
    expect(settings).toMatchObject({ port: 8787, state: join(root, ".wrangler/state") });
  });

  it.each(["abc", "70000", "-1", "80.5"])("refuse %s as a port", (text) => {
    expect(() => readPort(text)).toThrow(LocalProblem);
  });
});
