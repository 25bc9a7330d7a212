import { parseArgs } from "node:util";
import { duration, type Paint, paintFor } from "../demo/paint.ts";
import { endWith, LocalProblem } from "../problem.ts";
import { deliveryRound, runRound, webhookRound } from "./round.ts";
import { type RunRound, STAGES } from "./run-round.ts";
import type { Victim } from "./server-process.ts";
import type { WebhookRound } from "./webhook-round.ts";

const HELP = `npm run crash-test [-- --rounds=N] [--deliveries=M]

Kills the engine with SIGKILL in the middle of its work, starts it again, and checks that nothing that was acknowledged
is lost and nothing is done twice. N rounds (3) with a run of ${STAGES} stages, N with webhooks, each at a random moment.

  --rounds=N      how often
  --deliveries=M  instead of all that: one round with M webhooks, of which every one has to have its run in the end
  --help          this text`;

const verdict = (paint: Paint, faults: readonly string[]): string =>
  faults.length === 0 ? paint("green", "✔") : paint("red", "✘");

const tellFaults = (paint: Paint, faults: readonly string[]): void => {
  for (const fault of faults.slice(0, 10)) console.log(`    ${paint("red", fault)}`);
  if (faults.length > 10) console.log(`    ${paint("red", `and ${faults.length - 10} more`)}`);
};

const VICTIMS: Readonly<Record<Victim, string>> = {
  tree: "all processes killed",
  server: "server process killed",
  runtime: "runtime killed",
};

const tellRun = (paint: Paint, round: RunRound): void => {
  const { victim, killed_after: after, acknowledged, repeated_calls: repeated, faults } = round;
  const again = victim === "runtime" ? "kill" : "new process";
  const wentOn = `went on ${duration(round.went_on_after_start_ms)} after the ${again}`;
  const ready = victim === "runtime" ? "" : ` (${round.went_on_after_ready_ms} ms after it was ready)`;
  console.log(
    `${verdict(paint, faults)} ${VICTIMS[victim].padEnd(21)} after call ${String(after).padStart(2)} of ${STAGES}, ` +
      `${acknowledged} stages acknowledged; ${wentOn}${ready}; ${repeated} repeated`,
  );
  tellFaults(paint, faults);
};

const tellWebhooks = (paint: Paint, round: WebhookRound): void => {
  console.log(
    `${verdict(paint, round.faults)} all processes killed  ${round.acknowledged} deliveries acknowledged; ` +
      `all of their runs completed ${duration(round.all_done_after_ready_ms)} after the new process was ready`,
  );
  tellFaults(paint, round.faults);
};

const wholeNumber = (name: string, text: string): number => {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1) return number;
  throw new LocalProblem(`--${name} must be a whole number from 1 on.\n\n${HELP}`);
};

const readOptions = (): { readonly rounds: number; readonly deliveries: number | null } | null => {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "3" },
      deliveries: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  const { rounds, deliveries } = values;
  return {
    rounds: wholeNumber("rounds", rounds),
    deliveries: deliveries === undefined ? null : wholeNumber("deliveries", deliveries),
  };
};

/** Many webhooks, and one kill in the middle of them. */
const deliveryTest = async (paint: Paint, deliveries: number): Promise<boolean> => {
  const { faults, ...round } = await deliveryRound(deliveries);
  console.log(
    `\n${verdict(paint, faults)} all processes killed  after ${round.answered_before} of ${deliveries} answers ` +
      `(${round.deliveries_per_second} a second); ${round.redelivered} delivered again, ${round.duplicates} of them ` +
      `duplicates; all runs completed ${duration(round.all_done_after_ready_ms)} after the new process was ready\n`,
  );
  tellFaults(paint, faults);
  return faults.length === 0;
};

const crashTest = async (): Promise<void> => {
  const options = readOptions();
  if (options === null) return console.log(HELP);
  const { rounds, deliveries } = options;
  const paint = paintFor(process.stdout, process.env);
  if (deliveries !== null) process.exit((await deliveryTest(paint, deliveries)) ? 0 : 1);
  const all: (RunRound | WebhookRound)[] = [];
  console.log(`\n${paint("bold", `A run of ${STAGES} stages`)}\n`);
  const victims: readonly Victim[] = [...Array.from({ length: rounds }, () => "tree" as const), "server", "runtime"];
  for (const victim of victims) {
    const round = await runRound(victim);
    all.push(round);
    tellRun(paint, round);
  }
  console.log(`\n${paint("bold", "Webhooks")}\n`);
  for (let i = 0; i < rounds; i += 1) {
    const round = await webhookRound();
    all.push(round);
    tellWebhooks(paint, round);
  }
  const wrong = all.filter(({ faults }) => faults.length > 0).length;
  console.log(
    wrong === 0
      ? `\n${paint("green", `${all.length} rounds: nothing lost, nothing done twice`)}\n`
      : `\n${paint("red", `${wrong} of ${all.length} rounds went wrong`)}\n`,
  );
  process.exit(wrong === 0 ? 0 : 1);
};

await crashTest().catch(endWith);
