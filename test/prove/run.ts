import { parseArgs } from "node:util";
import { holds, proofs, proveFork, proveReplay } from "./outcome.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: "string", default: "1000" }, seed: { type: "string", default: "1" } },
});
const [what] = positionals;
if (what !== "fork" && what !== "replay") throw new Error("say what to prove: fork or replay");

// Whatever would leave this process through fetch is a failure of the proof.
globalThis.fetch = () => {
  throw new Error("the network was used");
};

const prove = { fork: proveFork, replay: proveReplay }[what];
const done = proofs(prove, Number(values.runs), Number(values.seed));
const bad = done.filter((proof) => !holds(proof, what));
for (const { seed, original, made } of bad) console.error(`seed ${seed}: ${original} became ${made}`);
const stages = done.reduce((sum, proof) => sum + proof.stages, 0);
const open = done.filter((proof) => proof.open > 0).length;
const kinds = [...new Set(done.flatMap((proof) => proof.kinds))].toSorted();
const effects: Record<string, number> = {};
for (const proof of done)
  for (const [type, count] of Object.entries(proof.effects)) effects[type] = (effects[type] ?? 0) + count;
const statuses = Object.fromEntries(
  [...Map.groupBy(done, ({ status }) => status)].map(([status, runs]) => [status, runs.length]),
);
console.log(
  JSON.stringify({ proof: what, runs: done.length, stages, open, statuses, kinds, effects, different: bad.length }),
);
process.exitCode = bad.length === 0 ? 0 : 1;
