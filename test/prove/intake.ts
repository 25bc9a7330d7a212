import { parseArgs } from "node:util";
import { Intake } from "../support/intake/intake.ts";
import { INTAKE_VARIANTS, SHARD_VARIANTS } from "../support/intake/variants.ts";

// Takes deliveries in while their trigger crashes: npm run prove:intake -- --deliveries 100000 --seed 1 --variant plain
// In several objects, any of which crashes: --shards 4; with more variants.

const { values } = parseArgs({
  options: {
    deliveries: { type: "string", default: "20000" },
    duplicates: { type: "string", default: "0.3" },
    "crash-every": { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    shards: { type: "string", default: "1" },
    variant: { type: "string", default: "all" },
  },
});

globalThis.fetch = () => {
  throw new Error("the network was used");
};

const shards = Number(values.shards);
const variants = shards === 1 ? INTAKE_VARIANTS : SHARD_VARIANTS;
const names = Object.keys(variants).filter((name) => values.variant === "all" || values.variant === name);
if (names.length === 0) throw new Error(`--variant is all or one of ${Object.keys(variants).join(", ")}`);
for (const variant of names) {
  const started = performance.now();
  const plan = {
    seed: Number(values.seed),
    deliveries: Number(values.deliveries),
    duplicates: Number(values.duplicates),
    crash_every: Number(values["crash-every"]),
    shards,
    ...(variants[variant] ?? { change: {}, queues_forget: false }),
  };
  const { faults, ...figures } = await new Intake(plan).play();
  const seconds = Number(((performance.now() - started) / 1_000).toFixed(1));
  console.log(
    JSON.stringify({ proof: "intake", variant, shards, seed: plan.seed, ...figures, seconds, faults: faults.length }),
  );
  for (const fault of faults.slice(0, 20)) console.error(`seed ${plan.seed}, ${variant}: ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
}
