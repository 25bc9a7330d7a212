import { describe, expect, it } from "vitest";
import { matches, refusalOf } from "../../../src/cli/runner/allow.ts";

describe("the patterns of a runner", () => {
  it.each([
    ["npm test", "npm test"],
    ["npm run *", "npm run build -- --fast"],
    ["npm *", "npm "],
    ["*", "make all"],
    ["make CC=* all", "make CC=gcc all"],
    ["a.b", "a.b"],
    ["cat *", "cat größe.txt"],
    ["npm test && npm run lint", "npm test && npm run lint"],
    ["echo a*b", "echo a*b"],
  ])("[L-5] %s matches %s", (pattern, command) => {
    expect(matches(pattern, command)).toBe(true);
  });

  it.each([
    ["npm test", "npm tests"],
    ["npm test", "npm test; rm -rf ."],
    ["npm *", "npm test; rm -rf ."],
    ["npm *", "npm test && rm -rf ."],
    ["npm *", "npm test | sh"],
    ["npm *", "npm test & rm x"],
    ["npm *", "npm test\nrm x"],
    ["npm *", "npm test\rrm x"],
    ["npm *", "npm `rm x`"],
    ["npm *", "npm $(rm x)"],
    ["npm *", "npm $HOME"],
    ["npm *", "npm > x"],
    ["npm *", "npm < x"],
    ["npm *", "npm 'x'"],
    ["npm *", 'npm "x"'],
    ["npm *", "npm \\x"],
    ["npm *", "npm {a,b}"],
    ["npm *", "npm ~"],
    ["npm *", "npm x #"],
    ["npm *", "npm !1"],
    ["npm *", "npm [a]"],
    ["npm *", "npm a?"],
    ["npm *", "npm a\u0000b"],
    ["npm *", "npm a\u2028b"],
    ["a.b", "axb"],
    ["npm *", "xnpm test"],
    ["npm test", "NPM test"],
  ])("[L-5] %s does not match %j", (pattern, command) => {
    expect(matches(pattern, command)).toBe(false);
  });

  it("[L-5] a job may set only the variables that are named", () => {
    const allowed = { any: false, commands: ["make *"], variables: ["CI", "APP_*"] };
    const job = { command: " make all ", env: { CI: "1", APP_MODE: "x" } };
    expect(refusalOf(allowed, job)).toBeNull();
    expect(refusalOf(allowed, { ...job, env: { PATH: "/tmp" } })).toContain('to set the variable "PATH"');
    expect(refusalOf(allowed, { ...job, command: "rm x" })).toContain('does not allow the command "rm x"');
    const anything = { any: true, commands: [], variables: [] };
    expect(refusalOf(anything, { command: "rm x; y", env: { PATH: "/tmp" } })).toBeNull();
  });
});
