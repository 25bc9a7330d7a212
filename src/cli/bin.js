#!/usr/bin/env node
// The command `godwit`. It is JavaScript, so that a Node that is too old can be told so.
const OLDEST = [22, 18];

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
  console.error(
    `godwit needs Node ${OLDEST.join(".")} or newer, and this is ${process.versions.node}.\n` +
      "In a clone of the project `npm ci` brings one along: call `npx godwit ...` there.",
  );
  process.exit(1);
}

// Node executes TypeScript anywhere but in installed packages, which have the command as one file of JavaScript.
const isInstalled = /[\\/]node_modules[\\/]/.test(import.meta.url);
await import(isInstalled ? new URL("../../dist/cli/godwit.js", import.meta.url).href : "./godwit.ts");
