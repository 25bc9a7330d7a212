import { parseArgs } from "node:util";
import { attackOnce, genuineTwice, Hooks, isRefused, numbersFrom, type Result } from "../support/hostile-hooks.ts";

// Tampers with deliveries of every sender: npm run prove:hooks -- --runs 20000 --seed 1

const { values } = parseArgs({
  options: { runs: { type: "string", default: "20000" }, seed: { type: "string", default: "1" } },
});
const GENUINE_EACH = 20;

globalThis.fetch = () => {
  throw new Error("the network was used");
};

const random = numbersFrom(Number(values.seed));
const hooks = new Hooks();
const wrong: Result[] = [];
const attacks: Record<string, number> = {};
const statuses: Record<string, number> = {};
let events = 0;
for (let turn = 0; turn < Number(values.runs); turn += 1) {
  const result = await attackOnce(hooks, random, turn);
  attacks[result.attack] = (attacks[result.attack] ?? 0) + 1;
  statuses[result.status] = (statuses[result.status] ?? 0) + 1;
  if (!isRefused(result)) wrong.push(result);
  if (turn % GENUINE_EACH !== 0) continue;
  const [first, replay] = await genuineTwice(hooks, random, turn / GENUINE_EACH);
  for (const one of [first, replay]) {
    if (one === undefined) continue;
    events += one.events;
    if (one.events !== (one === first ? 1 : 0) || one.status >= 300) wrong.push(one);
  }
}
for (const one of wrong.slice(0, 20)) console.error(JSON.stringify(one));
console.log(
  JSON.stringify({ proof: "hooks", runs: Number(values.runs), attacks, statuses, events, wrong: wrong.length }),
);
process.exitCode = wrong.length === 0 ? 0 : 1;
