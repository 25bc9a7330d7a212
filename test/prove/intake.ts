import { parseArgs } from "node:util";
import { Intake } from "../support/intake/intake.ts";
import { INTAKE_VARIANTS } from "../support/intake/variants.ts";

// Takes deliveries in while their trigger crashes: npm run prove:intake -- --deliveries 100000 --seed 1 --variant plain

const { values } = parseArgs({
  options: {
    deliveries: { type: "string", default: "20000" },
    duplicates: { type: "string", default: "0.3" },
    "crash-every": { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    variant: { type: "string", default: "all" },
  },
});

globalThis.fetch = () => {
  throw new Error("the network was used");
};

const names = Object.keys(INTAKE_VARIANTS).filter((name) => values.variant === "all" || values.variant === name);
if (names.length === 0) throw new Error(`--variant is all or one of ${Object.keys(INTAKE_VARIANTS).join(", ")}`);
for (const variant of names) {
  const started = performance.now();
  const plan = {
    seed: Number(values.seed),
    deliveries: Number(values.deliveries),
    duplicates: Number(values.duplicates),
    crash_every: Number(values["crash-every"]),
    ...(INTAKE_VARIANTS[variant] ?? { change: {}, queues_forget: false }),
  };
  const { faults, ...figures } = await new Intake(plan).play();
  const seconds = Number(((performance.now() - started) / 1_000).toFixed(1));
  console.log(
    JSON.stringify({ proof: "intake", variant, seed: plan.seed, ...figures, seconds, faults: faults.length }),
  );
  for (const fault of faults.slice(0, 20)) console.error(`seed ${plan.seed}, ${variant}: ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
}
