import { parseArgs } from "node:util";
import { proofs, proveFork, proveReplay } from "./outcome.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: "string", default: "1000" } },
});
const [what] = positionals;
const prove = { fork: proveFork, replay: proveReplay }[what ?? ""];
if (prove === undefined) throw new Error("say what to prove: fork or replay");

// Whatever would leave this process through fetch is a failure of the proof.
globalThis.fetch = () => {
  throw new Error("the network was used");
};

const done = proofs(prove, Number(values.runs));
const bad = done.filter(({ original, made, untouched }) => original !== made || !untouched);
for (const { seed, original, made } of bad) console.error(`seed ${seed}: ${original} became ${made}`);
const stages = done.reduce((sum, proof) => sum + proof.stages, 0);
const statuses = Object.fromEntries(
  [...Map.groupBy(done, ({ status }) => status)].map(([status, runs]) => [status, runs.length]),
);
console.log(JSON.stringify({ proof: what, runs: done.length, stages, statuses, different: bad.length }));
process.exitCode = bad.length === 0 ? 0 : 1;
